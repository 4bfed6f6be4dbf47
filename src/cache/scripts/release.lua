-- Gives the lease back without a store, and notes why the load is not to be repeated soon.
--
-- KEYS: lease, note
-- ARGV: the lease's value ('': none held); the load's hard generation; words of the note ('':
--       none); microseconds that it holds; ms that it is kept; channel; message

if ARGV[3] ~= '' then
  local time = redis.call('TIME')
  local till = tonumber(time[1]) * 1000000 + tonumber(time[2]) + tonumber(ARGV[4])
  redis.call('SET', KEYS[2], ARGV[2] .. ' ' .. text(till) .. ' ' .. ARGV[3], 'PX', ARGV[5])
end
if ARGV[1] ~= '' and read(KEYS[1]) == ARGV[1] then redis.call('DEL', KEYS[1]) end
say(ARGV[6], ARGV[7])
return 1
