-- title: Revenue by product
-- description: What sold since a day, by region and kind of product. The shop and its orders are made up.
-- ttl: 30s
-- stale-while-revalidate: 2m
-- database: sqlite
-- param: since date = 2026-01-01 : 2025-01-01..2026-12-31
-- param: region text = any : any, eu, us, apac, latam
-- param: kind text = any : any, coffee, tea, equipment
-- param: top integer = 10 : 1..12
select
    products.name as product,
    products.kind,
    count(*) as orders,
    sum(orders.quantity) as pieces,
    sum(orders.total_cents) / 100.0 as revenue,
    round(100.0 * sum(orders.total_cents) / sum(sum(orders.total_cents)) over (), 1) as percent
from orders
join products on products.id = orders.product_id
where orders.paid_at >= :since
    and (:region = 'any' or orders.region = :region)
    and (:kind = 'any' or products.kind = :kind)
group by products.id
order by revenue desc
limit :top
