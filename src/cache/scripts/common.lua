-- What every script begins with. A value of a foreign type, or one that does not parse, counts as
-- none: whoever put it there must not stop anything.
--
-- The generations of a query are "HARD SOFT MADE LAST" under one key, so that they cannot be
-- evicted apart. LAST is the highest number drawn. Numbers are microseconds of the server's TIME,
-- raised so that none repeats; all are below 2^53, which a Lua number holds exactly, and the clock
-- does not come near 2^52 before the year 2112: what is above that was never drawn.

-- All that is ours but the entry is far shorter than what is read of it.
local function read(key)
  local value = redis.pcall('GETRANGE', key, 0, 255)
  return type(value) == 'string' and value ~= '' and value or nil
end

local function number(text)
  if not (text and #text <= 16 and string.match(text, '^%d+$')) then return nil end
  local value = tonumber(text)
  return value < 4503599627370496 and value or nil
end

local function text(value) return string.format('%.0f', value) end

local function generations(key)
  local stored = read(key)
  if not stored then return nil end
  local hard, soft, made, last = string.match(stored, '^(%d+) (%d+) ([01]) (%d+)$')
  hard, soft, last = number(hard), number(soft), number(last)
  if not (hard and soft and last and hard <= last and soft <= last) then return nil end
  return { hard = hard, soft = soft, made = made, last = last }
end

local function keep(key, g)
  redis.call('SET', key, text(g.hard) .. ' ' .. text(g.soft) .. ' ' .. g.made .. ' ' .. text(g.last))
end

local function draw(last)
  local time = redis.call('TIME')
  return math.max(tonumber(time[1]) * 1000000 + tonumber(time[2]), last + 1)
end

-- The numbers of the latest hard and soft purge of one entry. One that was never drawn for its query
-- would hold off every load to come.
local function tombstone(key, g)
  local hard, soft = string.match(read(key) or '', '^(%d+) (%d+)$')
  hard, soft = number(hard) or 0, number(soft) or 0
  if hard > g.last or soft > g.last then return 0, 0 end
  return hard, soft
end

-- The order number of the envelope under the key, if it may be used: of our format and hard
-- generation, and no number that was never drawn (which is damage, and must not block a store).
local function order(key, g, version)
  local head = redis.pcall('GETRANGE', key, 0, 33)
  if type(head) ~= 'string' or string.byte(head, 1) ~= tonumber(version) then return 0 end
  local hard, drawn = number(string.sub(head, 3, 18)), number(string.sub(head, 19, 34))
  if hard ~= g.hard or not drawn or drawn > g.last then return 0 end
  return drawn
end

local function say(channel, message)
  -- Somebody may have forbidden us the channel; others then find out by looking again.
  redis.pcall('PUBLISH', channel, message)
end
