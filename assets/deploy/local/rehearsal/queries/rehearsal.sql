-- title: Rehearsal
-- description: A slow answer for each key, and when it came from the database.
-- ttl: 2s
-- param: key integer = 1 : 1..4
select :key as key, load_slowly(:key) as database_version,
       round(extract(epoch from clock_timestamp())::numeric, 3) as loaded_at
