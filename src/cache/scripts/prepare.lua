-- Before every load, in one round trip: is there another entry, or a reason not to load? If not,
-- the number of this load, and the lease. Whether an entry makes the load needless is for who asks
-- to say: also a stale one is of use to those who wait.
--
-- KEYS: generations, entry, tombstone, lease, note
-- ARGV: envelope version; the order number of the entry that need not be brought, nor those below
--       it; last byte to read of the entry; lease token ('': none wanted); life of the lease in ms; '1': whatever the
--       note says
-- Answer: what to do, hard, soft, made, last, tombstone's hard and soft, order (of the entry, or
--         of this load), envelope, its PTTL, the note, microseconds until it is over

local g = generations(KEYS[1])
if not g then
  local first = draw(0)
  g = { hard = first, soft = first, made = '1', last = first }
  keep(KEYS[1], g)
end
local hard, soft = tombstone(KEYS[3], g)

local function answer(verdict, order, more)
  local given = { verdict, text(g.hard), text(g.soft), g.made, text(g.last), text(hard), text(soft), text(order) }
  for _, item in ipairs(more or {}) do given[#given + 1] = item end
  return given
end

local found = order(KEYS[2], g, ARGV[1])
if found > tonumber(ARGV[2]) and found > hard then
  local envelope = redis.call('GETRANGE', KEYS[2], 0, ARGV[3])
  return answer('found', found, { envelope, redis.call('PTTL', KEYS[2]) })
end

-- The note: "HARD UNTIL WORDS"; one of before a hard purge no longer counts.
local note, left = read(KEYS[5]) or '', 0
local of, till = string.match(note, '^(%d+) (%d+) ')
of, till = number(of), number(till)
if of == g.hard and till then
  local time = redis.call('TIME')
  left = till - (tonumber(time[1]) * 1000000 + tonumber(time[2]))
end
-- One that holds for longer than any is nobody's, or of before the clock was set back.
if left == 0 or left > 60000000 then note, left = '', 0 end
if left > 0 and ARGV[6] ~= '1' then
  return answer('noted', 0, { '', 0, note, left })
end

if ARGV[4] ~= '' then
  local mine = text(g.hard) .. ' ' .. ARGV[4]
  local held = read(KEYS[4])
  -- Whoever loads for a generation that is over keeps nobody waiting; nor does what stands there
  -- for longer than any lease: no instance wrote it, or the clock was set back.
  local life = redis.call('PTTL', KEYS[4])
  if held and held ~= mine and life >= 0 and life <= tonumber(ARGV[5])
    and number(string.match(held, '^(%d+) ')) == g.hard then
    return answer('busy', found)
  end
  redis.call('SET', KEYS[4], mine, 'PX', ARGV[5])
end
g.last = draw(g.last)
keep(KEYS[1], g)
return answer('load', g.last, { '', 0, note, left })
