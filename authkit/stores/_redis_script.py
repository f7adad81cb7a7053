"""What Redis runs: one script for all algorithms of a limit, one for notes and gates. Each call is atomic, and one key's.

Times are whole microseconds, counts whole numbers: a Lua number is a double, exact below 2^53, and nothing here comes near.
`ARGV[1]` is the present time; empty: the server's own, which is the same for everybody who asks it.

Redis has a command of its own for this, GCRA, that no release contains (redis/redis pull request 15191 held it out of 8.8). It
counts one rate a key and gives nothing back.
"""

from __future__ import annotations

_NOW = """
local now = tonumber(ARGV[1])
if not now then
  local time = redis.call('TIME')
  now = time[1] * 1000000 + time[2]
end
local function whole(number) return string.format('%.0f', number) end
-- Redis forgets a key by itself after so many microseconds, at most 300 years; with another clock than its own, after a day.
local least = ARGV[1] == '' and 1 or 86400000
local function ms(us) return whole(math.max(least, math.min(math.ceil(us / 1000) + 1, 9460800000000))) end
"""

# KEYS: the key. ARGV: now, algorithm, cost (negative: that much is given back), and for each rate its own arguments.
LIMITS = (
    _NOW
    + """
local key, kind, cost = KEYS[1], ARGV[2], tonumber(ARGV[3])
local found = redis.call('GET', key)
-- Whether a key reaches further into the future than it could: the clock went back. It is shortened, also where it refuses, so
-- that nobody waits for longer than a period.
local ahead = false
local function texts(numbers, less)
  local words = {}
  for i = 1, #numbers do words[i] = whole(numbers[i] - (less and less[i] or 0)) end
  return table.concat(words, ' ')
end

if kind == 't' then
  -- For each rate: when its bucket is full again, in whole units and parts of one (1 / den). Of these: unit (in us), den,
  -- what the bucket holds, what this cost takes. Says: refused, then for each rate the time that it is from full.
  local held, before, after, present, refused, longest = {}, {}, {}, {}, false, 0
  if found then
    for digits in string.gmatch(found, '%d+') do held[#held + 1] = tonumber(digits) end
  end
  for i = 4, #ARGV, 6 do
    local unit, den = tonumber(ARGV[i]), tonumber(ARGV[i + 1])
    local most, most_part = tonumber(ARGV[i + 2]), tonumber(ARGV[i + 3])
    local take, take_part = tonumber(ARGV[i + 4]), tonumber(ARGV[i + 5])
    local at, place = math.floor(now / unit), #after + 1
    local full, part = held[place], held[place + 1]
    if not full or full < at then full, part = at, 0 end
    if full - at > most or (full - at == most and part > most_part) then full, part, ahead = at + most, most_part, true end
    before[place], before[place + 1] = full, part
    if cost < 0 then
      full, part = full - take, part - take_part
      if part < 0 then full, part = full - 1, part + den end
      if full < at then full, part = at, 0 end
    else
      full, part = full + take, part + take_part
      if part >= den then full, part = full + 1, part - den end
      if full - at > most or (full - at == most and part > most_part) then refused = true end
    end
    after[place], after[place + 1] = full, part
    present[place], present[place + 1] = at, 0
    if full > at or part > 0 then longest = math.max(longest, (full - at + 1) * unit) end
  end
  local state = refused and before or after
  if longest == 0 then
    if found then redis.call('DEL', key) end
  elseif ahead or (cost ~= 0 and not refused) then
    redis.call('SET', key, texts(state), 'PX', ms(longest))
  end
  return (refused and '1 ' or '0 ') .. texts(state, present)
end

-- The windows. Says: the time to wait, then for each rate how many are left, and when there is one more.
local state, said, wait, longest = {}, {}, 0, 0
if kind == 's' then
  -- For each rate a list, the oldest first: from when on a period counts, and how many permits. Of these: count, period, and
  -- the length of a slot (0: none), at whose end the periods of all that was taken in it begin.
  local logs = found and cmsgpack.unpack(found) or {}
  for i = 4, #ARGV, 3 do
    local count, period, slot = tonumber(ARGV[i]), tonumber(ARGV[i + 1]), tonumber(ARGV[i + 2])
    local log, kept, used, mark = logs[#state + 1] or {}, {}, 0, now
    if slot > 0 then mark = (math.floor(now / slot) + 1) * slot end
    for j = 1, #log, 2 do
      local from = log[j]
      if from > mark then from, ahead = mark, true end
      if from + period > now then
        kept[#kept + 1], kept[#kept + 2] = from, log[j + 1]
        used = used + log[j + 1]
      end
    end
    if cost < 0 then
      local back = -cost
      while back > 0 and #kept > 0 do
        local gone = math.min(back, kept[#kept])
        back, used = back - gone, used - gone
        kept[#kept] = kept[#kept] - gone
        if kept[#kept] == 0 then kept[#kept] = nil; kept[#kept] = nil end
      end
    elseif used + cost > count then
      local missing, due = used + cost - count, period
      for j = 1, #kept, 2 do
        missing = missing - kept[j + 1]
        if missing <= 0 then due = kept[j] + period - now; break end
      end
      wait = math.max(wait, due)
    end
    state[#state + 1] = kept
    said[#said + 1] = {count - used, kept[1] and kept[1] + period - now or 0, mark, period}
  end
  for i, rate in ipairs(said) do
    local kept, mark = state[i], rate[3]
    if wait == 0 and cost > 0 then
      if kept[#kept - 1] == mark then kept[#kept] = kept[#kept] + cost
      else kept[#kept + 1] = mark; kept[#kept + 1] = cost end
      rate[1] = rate[1] - cost
      rate[2] = kept[1] + rate[4] - now
    end
    if #kept > 0 then longest = math.max(longest, kept[#kept - 1] + rate[4] - now) end
    said[i] = whole(rate[1]) .. ' ' .. whole(rate[2])
  end
  state = cmsgpack.pack(state)
else
  -- For each rate the number of the window, and the permits taken in it. Of these: count, period.
  local held = {}
  if found then
    for digits in string.gmatch(found, '%d+') do held[#held + 1] = tonumber(digits) end
  end
  for i = 4, #ARGV, 2 do
    local count, period = tonumber(ARGV[i]), tonumber(ARGV[i + 1])
    local window, place = math.floor(now / period), i - 4
    local n = held[place + 2] or 0
    local of = held[place + 1] or -1
    if of < window then n = 0 elseif of > window then ahead = true end
    if cost < 0 then n = math.max(0, n + cost)
    elseif n + cost > count then wait = math.max(wait, (window + 1) * period - now) end
    state[place + 1], state[place + 2] = window, n
  end
  for i = 4, #ARGV, 2 do
    local count, period, place = tonumber(ARGV[i]), tonumber(ARGV[i + 1]), i - 4
    local n = state[place + 2]
    if wait == 0 and cost > 0 then n = n + cost end
    local due = n > 0 and (math.floor(now / period) + 1) * period - now or 0
    longest = math.max(longest, due)
    state[place + 2] = n
    said[#said + 1] = whole(count - n) .. ' ' .. whole(due)
  end
  state = texts(state)
end
if longest == 0 then
  if found then redis.call('DEL', key) end
elseif ahead or (wait == 0 and cost ~= 0) then
  redis.call('SET', key, state, 'PX', ms(longest))
end
return whole(wait) .. ' ' .. table.concat(said, ' ')
"""
)

# KEYS: the key. ARGV: now, what to do, time to live, and what that needs.
NOTES = (
    _NOW
    + """
local key, act, ttl = KEYS[1], ARGV[2], tonumber(ARGV[3])

if act == 'forget' then return redis.call('DEL', key) end

if act == 'enter' or act == 'renew' or act == 'leave' then  -- a sorted set: holders by when they are forgotten
  redis.call('ZREMRANGEBYSCORE', key, '-inf', whole(now))
  if act == 'leave' then return redis.call('ZREM', key, ARGV[4]) end
  local is_in = redis.call('ZSCORE', key, ARGV[4])
  local count = redis.call('ZCARD', key)
  if not is_in then
    if act == 'renew' or count >= tonumber(ARGV[5]) then return '0 ' .. count end
    count = count + 1
  end
  redis.call('ZADD', key, whole(now + ttl), ARGV[4])
  redis.call('PEXPIRE', key, ms(tonumber(redis.call('ZRANGE', key, -1, -1, 'WITHSCORES')[2]) - now))
  return '1 ' .. count
end

local ten_years = 315360000000
if act == 'adopt' then
  redis.call('SET', key, whole(now), 'PX', ten_years)
  return whole(now)
end
if act == 'epoch' then
  redis.call('SET', key, whole(now), 'NX', 'PX', ten_years)
  if redis.call('PTTL', key) < ten_years / 2 then redis.call('PEXPIRE', key, ten_years) end
  return redis.call('GET', key)
end

-- A note: when it is forgotten, a colon, the value.
local note = redis.call('GET', key)
if note then
  local colon = string.find(note, ':', 1, true)
  if tonumber(string.sub(note, 1, colon - 1)) <= now then note = nil else note = string.sub(note, colon + 1) end
else
  note = nil  -- what is absent is false to Redis
end
local old, new  -- each is '-' for none, or '+' and the value
if act == 'add' then old, new = '-', '+' .. ARGV[4] else old, new = ARGV[4], ARGV[5] end
if (note and '+' .. note or '-') ~= old then return 0 end
if new == '-' then
  redis.call('DEL', key)
else
  redis.call('SET', key, whole(now + ttl) .. ':' .. string.sub(new, 2), 'PX', ms(ttl))
end
return 1
"""
)


class Script:
    """A script as it is sent: by its name, and whole to a server that does not know it (yet, or any more)."""

    def __init__(self, text: str) -> None:
        from hashlib import sha1

        body = text.encode()
        name = sha1(body, usedforsecurity=False).hexdigest().encode()  # the name that Redis gives it
        self._known = b"$7\r\nEVALSHA\r\n" + bulk(name)
        self._whole = b"$4\r\nEVAL\r\n" + bulk(body)

    def named(self, arguments: int, rest: bytes) -> bytes:
        """The command with so many arguments (the number of keys, the key, values), packed in `rest`."""
        return b"*%d\r\n%b%b" % (arguments + 2, self._known, rest)

    def whole(self, arguments: int, rest: bytes) -> bytes:
        """The same, with the text."""
        return b"*%d\r\n%b%b" % (arguments + 2, self._whole, rest)


def bulk(value: bytes) -> bytes:
    """`value` as an argument of a command, in Redis's protocol."""
    return b"$%d\r\n%b\r\n" % (len(value), value)


def packed(*values: bytes | int) -> bytes:
    """Several of them."""
    return b"".join([bulk(b"%d" % value if isinstance(value, int) else value) for value in values])
