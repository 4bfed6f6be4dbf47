-- Keeps an instance's report, and says who else has reported of late. The index and the report are
-- written together, by the server's clock alone: those of the instances may disagree.
--
-- KEYS: index, own report
-- ARGV: own id; own report; life of a report in ms; how many ids are wanted at most
-- Answer: how many have reported; then ids, each with the ms since it did, the latest first

local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
local life = tonumber(ARGV[3])
local function text(value) return string.format('%.0f', value) end

redis.call('SET', KEYS[2], ARGV[2], 'PX', ARGV[3])
local kept = redis.pcall('ZADD', KEYS[1], text(now), ARGV[1])
if type(kept) == 'table' and kept.err then
  -- Whoever put something else there must not stop anything.
  if not string.find(kept.err, 'WRONGTYPE', 1, true) then return kept end
  redis.call('DEL', KEYS[1])
  redis.call('ZADD', KEYS[1], text(now), ARGV[1])
end
-- Whoever died is removed by whoever comes by; so is what is later than now, for want of an instance
-- that wrote it, or because the clock was set back.
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', '(' .. text(now - life))
redis.call('ZREMRANGEBYSCORE', KEYS[1], '(' .. text(now + life), '+inf')
redis.call('PEXPIRE', KEYS[1], ARGV[3])

local found = redis.call('ZREVRANGEBYSCORE', KEYS[1], '+inf', '-inf', 'WITHSCORES', 'LIMIT', 0, ARGV[4])
local answer = { redis.call('ZCARD', KEYS[1]) }
for at = 1, #found, 2 do
  local id = found[at]
  if #id <= 64 and string.match(id, '^%w+$') then
    answer[#answer + 1] = id
    answer[#answer + 1] = text(math.max(now - tonumber(found[at + 1]), 0))
  end
end
return answer
