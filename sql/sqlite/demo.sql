-- The data of the embedded demo, made when it is first asked for.
create table orders (
    id integer primary key,
    region text not null,
    paid_at date not null,
    total integer not null
);
insert into orders
with recursive n(i) as (select 1 union all select i + 1 from n where i < 20000)
select i,
       case i % 3 when 0 then 'eu' when 1 then 'us' else 'asia' end,
       date('2026-01-01', (i % 180) || ' days'),
       (i * 7919) % 1000
from n;
