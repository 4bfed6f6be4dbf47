-- title: Tables
select schemaname, tablename from pg_catalog.pg_tables order by 1, 2
