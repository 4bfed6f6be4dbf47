-- title: Orders
-- description: The latest orders before a moment, of products whose name holds a word. The shop and its orders are made up.
-- database: sqlite
-- param: product text = null
-- param: before timestamp = 2027-01-01
-- param: min_total number = 0 : 0..1000
-- param: limit integer = 25 : 1..1000
select
    orders.id,
    orders.paid_at,
    orders.region,
    products.name as product,
    orders.quantity,
    orders.total_cents / 100.0 as total
from orders
join products on products.id = orders.product_id
where orders.paid_at < datetime(:before)
    and (:product is null or instr(lower(products.name), lower(:product)) > 0)
    and orders.total_cents / 100.0 >= :min_total
order by orders.paid_at desc, orders.id desc
limit :limit
