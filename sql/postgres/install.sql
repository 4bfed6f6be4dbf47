-- Creates slow_version(), the slow query that unslow shows at /. Safe to repeat. It runs as one
-- transaction: either all of it is there afterwards, or nothing has changed.

do $install$
begin
    begin
        create or replace function slow_version() returns text
        language plpgsql
        as $body$
        begin
            perform pg_sleep(5);
            return version();
        end
        $body$;
    exception when invalid_function_definition then
        -- One that returns another type stands there and cannot be replaced, only dropped.
        drop function slow_version();
        create function slow_version() returns text
        language plpgsql
        as $body$
        begin
            perform pg_sleep(5);
            return version();
        end
        $body$;
    end;
end
$install$;

comment on function slow_version() is 'Waits five seconds, then returns version(). From unslow.';
