-- title: Hello
-- description: A first query of your own; change it, or copy it under another name.
-- ttl: 1m
-- param: name text = world
select 'Hello, ' || :name || '!' as greeting
