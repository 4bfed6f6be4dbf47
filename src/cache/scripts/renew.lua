-- Prolongs a lease that is still one's own: 1, else 0.
--
-- KEYS: lease
-- ARGV: the lease's value; its life in ms

if read(KEYS[1]) ~= ARGV[1] then return 0 end
return redis.call('PEXPIRE', KEYS[1], ARGV[2])
