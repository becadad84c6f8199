import { createScript } from './redis.ts'

/*
 * All that the shared level knows of purges is one hash, the root: its id, the number of purges so
 * far, and for each tag the number of the purge that it had last. An answer is held with the id and
 * the number as they were before the service was asked, and it counts while the id is the same and
 * none of its tags was purged since. One key, because Redis may evict any key: where the root is
 * lost, its next one has another id and nothing of before counts, whereas the loss of one tag's
 * number would make old answers count again.
 */
const root = `
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local function openRoot(key, keepMs)
  local held = redis.call('HMGET', key, 'id', 'purges')
  if held[1] then return held[1], tonumber(held[2]) end
  local id = time[1] .. '.' .. time[2]
  redis.call('HSET', key, 'id', id, 'purges', 0)
  redis.call('PEXPIRE', key, keepMs)
  return id, 0
end
local function isCurrent(key, tags, mark)
  local fields = {}
  for tag in string.gmatch(tags, '%S+') do fields[#fields + 1] = '#' .. tag end
  if #fields == 0 then return true end
  for _, purge in ipairs(redis.call('HMGET', key, unpack(fields))) do
    if purge and tonumber(purge) > mark then return false end
  end
  return true
end
`

/**
 * KEYS root, entry, lock. ARGV keepMs, token, lockMs, whether it is a refresh, whether it has seen the
 * entry before. Returns id, mark, verdict and, where one counts, the entry: `answer` (use it), `ask`
 * (the lock is yours), `wait` (another gateway asks), `pass` (ask without the lock).
 */
export const readEntry = createScript(`${root}
local id, mark = openRoot(KEYS[1], ARGV[1])
local entry = redis.call('HMGET', KEYS[2], 'id', 'mark', 'at', 'fresh', 'stale', 'tags')
local age = 0
local counts = entry[1] == id and isCurrent(KEYS[1], entry[6], tonumber(entry[2]))
local isRefresh, wasSeen = ARGV[4] == '1', ARGV[5] == '1'
local function answer(verdict)
  if not counts or (wasSeen and verdict ~= 'answer') then return { id, mark, verdict } end
  local parts = redis.call('HMGET', KEYS[2], 'head', 'body')
  return { id, mark, verdict, age, parts[1], parts[2] }
end
if counts then
  age = math.max(0, now - entry[3])
  if age <= tonumber(entry[4]) then return answer('answer') end
  if not isRefresh and age <= tonumber(entry[5]) then return answer('answer') end
end
local lock = redis.call('GET', KEYS[3])
if lock == 'pass' then return answer('pass') end
if lock and lock ~= ARGV[2] then return answer('wait') end
redis.call('SET', KEYS[3], ARGV[2], 'PX', ARGV[3])
return answer('ask')
`)

/**
 * KEYS root, entry, lock. ARGV token, id, mark, keepMs, age, fresh, stale, tags, head, body. Stores
 * what is still true and gives the lock back. Returns whether it was stored.
 */
export const writeEntry = createScript(`${root}
if redis.call('GET', KEYS[3]) == ARGV[1] then redis.call('DEL', KEYS[3]) end
if redis.call('HGET', KEYS[1], 'id') ~= ARGV[2] then return 0 end
if not isCurrent(KEYS[1], ARGV[8], tonumber(ARGV[3])) then return 0 end
redis.call('HSET', KEYS[2], 'id', ARGV[2], 'mark', ARGV[3], 'at', now - ARGV[5],
  'fresh', ARGV[6], 'stale', ARGV[7], 'tags', ARGV[8], 'head', ARGV[9], 'body', ARGV[10])
redis.call('PEXPIRE', KEYS[2], ARGV[4])
return 1
`)

/** KEYS lock. ARGV token, passMs. Lets everybody ask for a while: what came cannot be shared. */
export const passEntry = createScript(`
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], 'pass', 'PX', ARGV[2])
return 1
`)

/**
 * KEYS root, event. ARGV keepMs, seenMs, maxTags, tags. The event counts once, whichever gateway
 * tells it first. A root that has grown too large is given up, and with it everything held.
 */
export const purgeTags = createScript(`${root}
if not redis.call('SET', KEYS[2], 1, 'NX', 'PX', ARGV[2]) then return 0 end
openRoot(KEYS[1], ARGV[1])
local purge = redis.call('HINCRBY', KEYS[1], 'purges', 1)
for tag in string.gmatch(ARGV[4], '%S+') do redis.call('HSET', KEYS[1], '#' .. tag, purge) end
redis.call('PEXPIRE', KEYS[1], ARGV[1])
if redis.call('HLEN', KEYS[1]) > tonumber(ARGV[3]) then redis.call('DEL', KEYS[1]) end
return 1
`)

/**
 * KEYS root, watch. ARGV whether to begin anew, watchMs. Gives everything up where nobody has
 * watched the events, or where the caller cannot vouch for it. Returns whether it did.
 */
export const joinCache = createScript(`
local isAnew = ARGV[1] == '1' or redis.call('EXISTS', KEYS[2]) == 0
if isAnew then redis.call('DEL', KEYS[1]) end
redis.call('SET', KEYS[2], 1, 'PX', ARGV[2])
return isAnew and 1 or 0
`)
