-- The data of the embedded demo: the orders of a small shop for coffee and tea over 2025 and 2026.
-- Deterministic, so that everyone sees the same numbers; run once in a database in memory.
create table products (
    id integer primary key,
    name text not null,
    kind text not null,
    price_cents integer not null
);

insert into products (id, name, kind, price_cents) values
    (0, 'Breakfast blend', 'coffee', 1190),
    (1, 'Espresso', 'coffee', 1450),
    (2, 'Decaf', 'coffee', 1290),
    (3, 'Single origin', 'coffee', 1890),
    (4, 'Cold brew kit', 'equipment', 3490),
    (5, 'Hand grinder', 'equipment', 6900),
    (6, 'Kettle', 'equipment', 8950),
    (7, 'Paper filters', 'equipment', 450),
    (8, 'Earl Grey', 'tea', 890),
    (9, 'Sencha', 'tea', 1375),
    (10, 'Chamomile', 'tea', 690),
    (11, 'Chai', 'tea', 990);

create table orders (
    id integer primary key,
    region text not null,
    product_id integer not null references products (id),
    quantity integer not null,
    total_cents integer not null,
    paid_at text not null
);

-- Four numbers per order, spread by multiplication with odd constants. The later of two days makes
-- the shop grow; the product of two numbers makes some articles sell better than others.
insert into orders (id, region, product_id, quantity, total_cents, paid_at)
with recursive
numbers (id) as (
    select 1
    union all
    select id + 1 from numbers where id < 40000
),
mixed as materialized (
    select
        id,
        (id * 2654435761 >> 7) & 65535 as a,
        (id * 2246822519 >> 9) & 65535 as b,
        (id * 3266489917 >> 5) & 65535 as c,
        (id * 668265263 >> 6) & 65535 as d
    from numbers
),
drawn as materialized (
    select
        id,
        case when a < 26000 then 'eu' when a < 45000 then 'us' when a < 58000 then 'apac' else 'latam' end as region,
        (b * (c + 20000) / 7130317) % 12 as product_id,
        1 + c * c / 1431655765 as quantity,
        max(b * 730 / 65536, d * 730 / 65536) as day,
        (a * 31 + d * 17) % 86400 as second
    from mixed
)
select
    drawn.id,
    region,
    product_id,
    quantity,
    quantity * price_cents,
    strftime('%Y-%m-%dT%H:%M:%SZ', 1735689600 + day * 86400 + second, 'unixepoch')
from drawn
join products on products.id = drawn.product_id;
