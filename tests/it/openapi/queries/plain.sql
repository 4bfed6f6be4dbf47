-- title: Never kept
-- description: No parameters, and `cache: off`.
-- cache: off
select 1 as one
