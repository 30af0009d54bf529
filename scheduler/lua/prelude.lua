-- Stands before every script. P (the prefix of all keys), ALLOWED (from>to) and BOUNDS (of histograms, in
-- seconds) come from Python.

local clock = redis.call('TIME')
-- Redis's clock alone decides, so that a worker's clock may be wrong.
local now = tonumber(clock[1]) + tonumber(clock[2]) / 1000000

local function stamp(seconds) return string.format('%.6f', seconds) end
local function record(id) return P .. 'job:' .. id end
local function get(id, field) return redis.call('HGET', record(id), field) end

local function announce(id, ...)
  redis.call('XADD', P .. 'events:' .. id, 'MAXLEN', '~', 1000, '*', ...)
end

-- What the exporter shows. Counted here, in the step that it happens in, so that each thing counts once.
local function count(name, by) redis.call('HINCRBY', P .. 'tally', name, by) end
local function observe(name, seconds)
  local bucket = 'inf'
  for _, bound in ipairs(BOUNDS) do
    if seconds <= bound then bucket = tostring(bound) break end
  end
  count(name .. '|' .. bucket, 1)
  redis.call('HINCRBYFLOAT', P .. 'tally', name .. '|sum', stamp(seconds))
end

-- A job whose attempt failed works again.
local function recovered(id)
  local since, cause = unpack(redis.call('HMGET', record(id), 'broken', 'broken_by'))
  if not since then return end
  redis.call('HDEL', record(id), 'broken', 'broken_by')
  observe('recovery|' .. cause, now - tonumber(since))
end

-- The last that was heard of an attempt: now, or the last renewal of a lease that ran out.
local function last_sign(id)
  local expiry, lease = redis.call('ZSCORE', P .. 'leases', id), get(id, 'lease')
  if expiry and lease and tonumber(expiry) <= now then return tonumber(expiry) - tonumber(lease) end
  return now
end

-- The indices by state: of all jobs, and of those of one kind, so that no list is ever made by intersecting two.
local function indices(state, kind) return { P .. 'state:' .. state, P .. 'state:' .. state .. ':' .. kind } end

-- The one place where a state changes.
local function move(id, to)
  local from, kind, created = unpack(redis.call('HMGET', record(id), 'state', 'kind', 'created'))
  if not from or not ALLOWED[from .. '>' .. to] then return false end
  redis.call('HSET', record(id), 'state', to, 'changed', stamp(now))
  for _, index in ipairs(indices(from, kind)) do redis.call('ZREM', index, id) end
  for _, index in ipairs(indices(to, kind)) do redis.call('ZADD', index, created, id) end
  announce(id, 'state', to)
  return true
end

-- Makes a job ready to be claimed. The outbox holds when the scheduler is to publish its message, unless
-- somebody has done so by then: at once, or after the patience given to whoever is about to do it.
local function enqueue(id, patience)
  if not move(id, 'QUEUED') then return false end
  redis.call('HSET', record(id), 'queued', stamp(now), 'worker', '')
  redis.call('ZADD', P .. 'outbox', stamp(now + patience), id)
  return true
end

local function ready(id)
  return redis.call('SCARD', P .. 'waits:' .. id) == 0 and not redis.call('ZSCORE', P .. 'delayed', id)
end

-- Ends a job and tells its children: success releases them, anything else fails them, and theirs in turn.
local function finish(id, to, cause, message)
  local todo = { { id, to, cause, message } }
  local ended = false
  while #todo > 0 do
    local job, state, why, text = unpack(table.remove(todo))
    if move(job, state) then
      ended = true
      count('ended|' .. get(job, 'kind') .. '|' .. state .. '|' .. why, 1)
      if state == 'SUCCEEDED' then recovered(job) end
      redis.call('HSET', record(job), 'finished', stamp(now), 'cause', why, 'message', text)
      for _, set in ipairs({ 'leases', 'outbox', 'delayed' }) do redis.call('ZREM', P .. set, job) end
      for _, child in ipairs(redis.call('SMEMBERS', P .. 'children:' .. job)) do
        redis.call('SREM', P .. 'waits:' .. child, job)
        if state ~= 'SUCCEEDED' then
          table.insert(todo, { child, 'FAILED', 'PARENT', 'job ' .. job .. ', which it needs, ended as ' .. state })
        elseif get(child, 'state') == 'WAITING' and ready(child) then
          enqueue(child, 0)
        end
      end
      redis.call('DEL', P .. 'children:' .. job, P .. 'waits:' .. job)
      redis.call('EXPIRE', P .. 'events:' .. job, EVENTS_KEPT)
      redis.call('EXPIRE', P .. 'log:' .. job, EVENTS_KEPT)
    end
  end
  return ended
end

-- Whether this attempt still has the right to write.
local function holds(id, attempt)
  return get(id, 'state') == 'RUNNING' and get(id, 'attempt') == attempt
end

-- Gives a running job back. A charged return counts against the job's attempts.
local function give_back(id, charged, cause, message, delay, patience)
  if charged then
    count('failed|' .. get(id, 'kind') .. '|' .. cause, 1)
    redis.call('HSETNX', record(id), 'broken', stamp(last_sign(id)))
    redis.call('HSETNX', record(id), 'broken_by', cause)
  end
  redis.call('ZREM', P .. 'leases', id)
  redis.call('RPUSH', P .. 'attempts:' .. id, cjson.encode({
    attempt = tonumber(get(id, 'attempt')), worker = get(id, 'worker'), cause = cause, message = message,
    ended = now }))
  if get(id, 'cancel') == '1' then return finish(id, 'CANCELLED', '', '') and 'CANCELLED' end
  if charged then
    local failures = redis.call('HINCRBY', record(id), 'failures', 1)
    if failures >= tonumber(get(id, 'attempts')) then
      return finish(id, 'FAILED', cause, message .. ' (attempt ' .. failures .. ' of ' .. failures .. ')') and 'FAILED'
    end
  end
  if delay > 0 then
    redis.call('ZADD', P .. 'delayed', stamp(now + delay), id)
    return move(id, 'WAITING') and 'WAITING'
  end
  return enqueue(id, patience) and 'QUEUED'
end
