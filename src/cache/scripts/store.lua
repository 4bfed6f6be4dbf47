-- Stores what was loaded, unless it comes too late; gives the lease back either way.
--
-- KEYS: generations, entry, tombstone, lease, note
-- ARGV: envelope version; hard generation and order number of the load; the lease's value ('':
--       none held); envelope; its life in ms; channel; message; '1': store whatever stands there;
--       how long the load took in microseconds; life of an entry just loaded in ms; '1': only in
--       place of the same entry, which is to be kept for another time
-- Answer: 'stored', or why not; then, where there are generations: hard, soft, made, last,
--         tombstone's hard and soft

local g = generations(KEYS[1])
local hard, soft = 0, 0
if g then hard, soft = tombstone(KEYS[3], g) end
local mine, lease = tonumber(ARGV[3]), read(KEYS[4])

local is_same = ARGV[12] == '1'
local standing = g and order(KEYS[2], g, ARGV[1]) or 0

local verdict = 'stored'
if not g or text(g.hard) ~= ARGV[2] or hard >= mine then
  verdict = 'purged'
elseif ARGV[4] ~= '' and lease and lease ~= ARGV[4] then
  verdict = 'lost'
elseif standing > mine or (is_same and standing < mine) then
  verdict = 'older'
end
if ARGV[9] == '1' then verdict = 'stored' end

if verdict == 'stored' then
  -- Its life counts from its load, however long these words were on their way.
  local time = redis.call('TIME')
  local age = tonumber(time[1]) * 1000000 + tonumber(time[2]) - mine - tonumber(ARGV[10])
  local left = math.min(tonumber(ARGV[6]), tonumber(ARGV[11]) - math.ceil(age / 1000))
  redis.call('SET', KEYS[2], ARGV[5], 'PX', text(math.max(left, 1)))
  if not is_same then redis.call('DEL', KEYS[5]) end
end
if ARGV[4] ~= '' and lease == ARGV[4] then redis.call('DEL', KEYS[4]) end
if verdict == 'stored' and not is_same then say(ARGV[7], ARGV[8]) end
if not g then return { verdict } end
return { verdict, text(g.hard), text(g.soft), g.made, text(g.last), text(hard), text(soft) }
