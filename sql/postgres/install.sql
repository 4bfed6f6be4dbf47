-- Creates slow_version(), the slow query that unslow shows at /. Safe to repeat. It runs as one
-- transaction: either all of it is there afterwards, or nothing has changed.

do $install$
declare
    present regprocedure := to_regprocedure('slow_version()');
begin
    -- One that returns another type cannot be replaced, only dropped.
    if present is not null and pg_get_function_result(present) <> 'text' then
        drop function slow_version();
    end if;
end
$install$;

create or replace function slow_version() returns text
language plpgsql
as $body$
begin
    perform pg_sleep(5);
    return version();
end
$body$;

comment on function slow_version() is 'Waits five seconds, then returns version(). From unslow.';
