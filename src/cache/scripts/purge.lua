-- A purge, of the whole query or of one entry, and the word of it to the other instances.
--
-- KEYS: generations; for one entry also: entry, tombstone, lease, note
-- ARGV: 'hard' or 'soft'; channel; the message before its number, and after it; life of a
--       tombstone in ms; microseconds: a soft purge of the whole query in the last so many will
--       do ('0': none will)
-- Answer: the purge's number

local g = generations(KEYS[1])
if not g then
  local first = draw(0)
  g = { hard = first, soft = first, made = '1', last = first }
end
local time = redis.call('TIME')
local since = tonumber(time[1]) * 1000000 + tonumber(time[2]) - tonumber(ARGV[6])
if ARGV[6] ~= '0' and g.soft >= since then return text(g.soft) end
local purge = draw(g.last)
g.last = purge

if #KEYS > 1 then
  local hard, soft = tombstone(KEYS[3], g)
  if ARGV[1] == 'hard' then
    hard = purge
    -- Nobody waits for a load that began before.
    redis.call('DEL', KEYS[2], KEYS[4])
  else
    soft = purge
  end
  redis.call('DEL', KEYS[5])
  redis.call('SET', KEYS[3], text(hard) .. ' ' .. text(soft), 'PX', ARGV[5])
elseif ARGV[1] == 'hard' then
  g.hard, g.soft, g.made = purge, purge, '0'
else
  g.soft = purge
end
keep(KEYS[1], g)
say(ARGV[2], ARGV[3] .. ' ' .. text(purge) .. ' ' .. ARGV[4])
return text(purge)
