-- The data of the embedded demo: the orders of a small shop for coffee and tea over 2025 and 2026.
-- Deterministic, so that everyone sees the same numbers; run once in a database in memory.
create table products (
    id integer primary key,
    name text not null,
    kind text not null,
    price_cents integer not null
);

-- The best sellers first: an order's product is drawn with a liking for small ids.
insert into products (id, name, kind, price_cents) values
    (0, 'Espresso', 'coffee', 1450),
    (1, 'Breakfast blend', 'coffee', 1190),
    (2, 'Earl Grey', 'tea', 890),
    (3, 'Single origin', 'coffee', 1890),
    (4, 'Paper filters', 'equipment', 450),
    (5, 'Sencha', 'tea', 1375),
    (6, 'Decaf', 'coffee', 1290),
    (7, 'Chai', 'tea', 990),
    (8, 'Cold brew kit', 'equipment', 3490),
    (9, 'Chamomile', 'tea', 690),
    (10, 'Hand grinder', 'equipment', 6900),
    (11, 'Kettle', 'equipment', 8950);

create table orders (
    id integer primary key,
    region text not null,
    product_id integer not null references products (id),
    quantity integer not null,
    total_cents integer not null,
    paid_at text not null
);

-- Four numbers of 16 bits per order, spread by multiplication with odd constants. For every other
-- order the later of two days is taken, so that the shop grows; of two products the more popular.
insert into orders (id, region, product_id, quantity, total_cents, paid_at)
with recursive
numbers (id, a, b, c, d) as (
    select 1, 20251, 33181, 7079, 51853
    union all
    select
        id + 1,
        (id * 2654435761 >> 7) & 65535,
        (id * 2246822519 >> 9) & 65535,
        (id * 3266489917 >> 5) & 65535,
        (id * 668265263 >> 6) & 65535
    from numbers
    where id < 20000
)
select
    numbers.id,
    case when a < 26000 then 'eu' when a < 45000 then 'us' when a < 58000 then 'apac' else 'latam' end,
    products.id,
    1 + c * c / 1431655765,
    (1 + c * c / 1431655765) * price_cents,
    strftime('%Y-%m-%dT%H:%M:%SZ', 1735689600 + case when c & 1 then b else max(b, d) end * 730 / 65536 * 86400 + (a * 31 + d * 17) % 86400, 'unixepoch')
from numbers
join products on products.id = min(a * 7 % 12, (b + c) % 12);
