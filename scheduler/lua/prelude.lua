-- Stands before every script. P (the prefix of all keys), ALLOWED (from>to), FINAL (states), NEARLY_FULL (a share)
-- and BOUNDS (of histograms, in seconds) come from Python.

local clock = redis.call('TIME')
-- Redis's clock alone decides, so that a worker's clock may be wrong.
local now = tonumber(clock[1]) + tonumber(clock[2]) / 1000000

local function stamp(seconds) return string.format('%.6f', seconds) end
local function record(id) return P .. 'job:' .. id end
local function get(id, field) return redis.call('HGET', record(id), field) end

local function schedule(name) return P .. 'schedule:' .. name end

-- Whether Redis is so full that what can be done without is not written: then jobs that run can end (`capacity.py`).
local function nearly_full()
  local text = redis.call('INFO', 'memory')
  local limit = tonumber(string.match(text, '\nmaxmemory:(%d+)') or 0)
  local used = tonumber(string.match(text, '\nused_memory:(%d+)'))
    - tonumber(string.match(text, '\nmem_not_counted_for_evict:(%d+)') or 0)
  return limit > 0 and used >= NEARLY_FULL * limit
end

local function announce(id, what, ...)
  -- Whoever follows a job looks at its record every second anyway.
  if what == 'progress' and nearly_full() then return end
  redis.call('XADD', P .. 'events:' .. id, 'MAXLEN', '~', 1000, '*', what, ...)
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

-- Who refers to what (`references.py`). A target is `job/<id>` or `dataset/<name>`; its users are ids of jobs, which count
-- until they have ended, and others (`schedule/<name>`), which count until they let go.
local function users(target) return P .. 'uses:' .. target end
local function holder(target, but_models)
  for _, user in ipairs(redis.call('SMEMBERS', users(target))) do
    local other = string.find(user, '/', 1, true)
    if other and not (but_models and string.sub(user, 1, 6) == 'model/') then return user end
    local state = not other and get(user, 'state')
    if state and not FINAL[state] then return 'job/' .. user end
  end
  return false
end

-- What a job refers to; those of a version before have no list of it.
local function refers(id)
  local list, parents, inputs = unpack(redis.call('HMGET', record(id), 'refers', 'parents', 'inputs'))
  if list then return cjson.decode(list) end
  local found = {}
  for _, parent in ipairs(cjson.decode(parents or '[]')) do table.insert(found, 'job/' .. parent) end
  for name, _ in pairs(cjson.decode(inputs or '{}')) do table.insert(found, 'dataset/' .. name) end
  return found
end

-- Enters a job that has ended among those that the rules look at, the first to end first. One that ended before what a
-- rule is done with is entered among those that it has passed over.
local function note_end(id, at)
  redis.call('ZADD', P .. 'ended', at, id)
  for _, what in ipairs({ 'checkpoints', 'artifacts', 'records' }) do
    local done = redis.call('HGET', P .. 'cleaned', what)
    if done and tonumber(at) <= tonumber(done) then redis.call('ZADD', P .. 'passed:' .. what, at, id) end
  end
end

-- The indices by state: of all jobs, and of those of one kind, so that no list is ever made by intersecting two.
-- Parts of jobs have one of their own: nobody wants a thousand of them among the jobs.
local function indices(state, kind, whole)
  if whole then return { P .. 'parts:' .. state } end
  return { P .. 'state:' .. state, P .. 'state:' .. state .. ':' .. kind }
end

-- The one place where a state changes.
local function move(id, to)
  local from, kind, created, whole = unpack(redis.call('HMGET', record(id), 'state', 'kind', 'created', 'whole'))
  if not from or not ALLOWED[from .. '>' .. to] then return false end
  redis.call('HSET', record(id), 'state', to, 'changed', stamp(now))
  for _, index in ipairs(indices(from, kind, whole)) do redis.call('ZREM', index, id) end
  for _, index in ipairs(indices(to, kind, whole)) do redis.call('ZADD', index, created, id) end
  if not whole then announce(id, 'state', to) end  -- who follows a part follows the whole
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

local function parts_of(id)
  local found = {}
  for _, part in ipairs(redis.call('LRANGE', P .. 'parts_of:' .. id, 0, -1)) do
    if get(part, 'whole') == id then table.insert(found, part) end  -- others were left by a job before
  end
  return found
end

-- Holds a job back, with its parts, until it is let go. One that runs is asked to leave its slot.
local function hold(id)
  local state = get(id, 'state')
  if FINAL[state] then return end
  redis.call('HSET', record(id), 'pause', '1')
  if state == 'WAITING' or state == 'QUEUED' then
    move(id, 'PAUSED')
    redis.call('ZREM', P .. 'outbox', id)
  end
  for _, part in ipairs(parts_of(id)) do hold(part) end
end

-- Lets a job go on that was held back: when its turn has come, if it waits for something.
local function let_go(id)
  redis.call('HDEL', record(id), 'pause')
  for _, part in ipairs(parts_of(id)) do let_go(part) end
  if get(id, 'state') ~= 'PAUSED' then return end
  if ready(id) then enqueue(id, 0) else move(id, 'WAITING') end
end

-- More rows of a divided job are done (fewer, where a part begins anew): how far the whole is follows from it.
local function add_rows(whole, rows)
  local done = redis.call('HINCRBY', record(whole), 'rows_done', rows)
  local total, before, since, told, parts, parts_done = unpack(redis.call('HMGET', record(whole), 'rows',
    'rows_before', 'rows_since', 'progressed', 'parts', 'parts_done'))
  if get(whole, 'state') ~= 'WAITING' or (done < tonumber(total) and told and now - tonumber(told) < 0.5) then return end
  local progress = { step = done, total = tonumber(total),
    stage = string.format('row %d/%d, part %d/%d', done, total, parts_done, parts) }
  local new, seconds = done - tonumber(before), now - tonumber(since or now)
  if new > 0 and seconds > 0 then
    progress.metrics = { rows_per_second = math.floor(new / seconds * 10 + 0.5) / 10 }
    progress.eta_seconds = (total - done) * seconds / new
  end
  local text = cjson.encode(progress)
  redis.call('HSET', record(whole), 'progress', text, 'progressed', stamp(now))
  announce(whole, 'progress', text)
end

-- A part has ended well: its rows are done, whatever it has reported.
local function count_part(part, whole)
  redis.call('HINCRBY', record(whole), 'parts_done', 1)
  redis.call('HDEL', record(whole), 'progressed')  -- so that this is told at once
  add_rows(whole, tonumber(get(part, 'rows')) - tonumber(get(part, 'step') or 0))
end

-- What has not begun of a job that ended without its parts does not begin. What runs is asked to stop if a person
-- wants it; else it is done to its end, for a job that will ask for the same.
local function drop_parts(whole, to, todo)
  for _, part in ipairs(redis.call('LRANGE', P .. 'parts_of:' .. whole, 0, -1)) do
    local state, of, fingerprint = unpack(redis.call('HMGET', record(part), 'state', 'whole', 'fingerprint'))
    if of ~= whole then  -- left by a job before
    elseif to == 'SUCCEEDED' then
      redis.call('HDEL', P .. 'fingerprints', fingerprint)  -- its pieces go
    elseif state == 'QUEUED' or state == 'WAITING' or state == 'PAUSED' then
      redis.call('DEL', P .. 'children:' .. part)
      table.insert(todo, { part, 'CANCELLED', '', '' })
    elseif state == 'RUNNING' and to == 'CANCELLED' then
      redis.call('HSET', record(part), 'cancel', '1')
    end
  end
end

-- What the child of a job that did not succeed is told.
local function fault(job, state, why, text, child)
  local whole, part = unpack(redis.call('HMGET', record(job), 'whole', 'part'))
  if whole == child and why ~= '' then
    local about = cjson.decode(part)
    return why, string.format('part %d of %d: %s', about.number, about.count, text)
  end
  return 'PARENT', 'job ' .. job .. ', which it needs, ended as ' .. state
end

-- Ends a job and tells its children: success releases them, anything else fails them, and theirs in turn.
local function finish(id, to, cause, message)
  local todo = { { id, to, cause, message } }
  local ended = false
  while #todo > 0 do
    local job, state, why, text = unpack(table.remove(todo))
    if move(job, state) then
      ended = true
      local kind, whole, parts = unpack(redis.call('HMGET', record(job), 'kind', 'whole', 'parts'))
      if not whole then count('ended|' .. kind .. '|' .. state .. '|' .. why, 1) end
      if parts then drop_parts(job, state, todo) end
      if whole and state == 'SUCCEEDED' then count_part(job, whole) end
      if state == 'SUCCEEDED' then recovered(job) end
      redis.call('HSET', record(job), 'finished', stamp(now), 'cause', why, 'message', text)
      if not whole then note_end(job, stamp(now)) end
      for _, set in ipairs({ 'leases', 'outbox', 'delayed' }) do redis.call('ZREM', P .. set, job) end
      for _, child in ipairs(redis.call('SMEMBERS', P .. 'children:' .. job)) do
        redis.call('SREM', P .. 'waits:' .. child, job)
        if state ~= 'SUCCEEDED' then
          table.insert(todo, { child, 'FAILED', fault(job, state, why, text, child) })
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
  if delay > 0 then redis.call('ZADD', P .. 'delayed', stamp(now + delay), id) end
  if get(id, 'pause') == '1' then
    redis.call('HSET', record(id), 'worker', '')
    return move(id, 'PAUSED') and 'PAUSED'
  end
  if delay > 0 then
    return move(id, 'WAITING') and 'WAITING'
  end
  return enqueue(id, patience) and 'QUEUED'
end

-- Takes a tick of a schedule, for a job or for none, unless it was taken: by whoever deals with ticks beside us, or before
-- the schedule was removed, paused or added anew. A tick without a moment is a person's wish. A job that is rebuilt has
-- taken its tick before, whatever became of the schedule since then.
local function take_tick(tick, job, note, rebuilt)
  local key = schedule(tick.name)
  local id, last, paused, overlap = unpack(redis.call('HMGET', key, 'id', 'last', 'paused', 'overlap'))
  if id ~= tick.id then return false end
  if tick.moment then
    local passed = tick.moment <= tonumber(last)
    if not rebuilt and (paused == '1' or passed) then return false end
    if not passed then redis.call('HSET', key, 'last', string.format('%.0f', tick.moment)) end
  end
  redis.call('HSET', key, 'note', note)
  if job then
    redis.call('HSET', key, 'last_job', job)
    if overlap ~= 'allow' then redis.call('SADD', P .. 'schedule_jobs:' .. tick.name, job) end
  end
  return true
end

-- An equivalent job is no longer answered with this one.
local function unlike(id)
  local fingerprint = get(id, 'fingerprint')
  if fingerprint and redis.call('HGET', P .. 'fingerprints', fingerprint) == id then
    redis.call('HDEL', P .. 'fingerprints', fingerprint)
  end
end

local function drop(id)
  unlike(id)
  redis.call('DEL', record(id), P .. 'attempts:' .. id, P .. 'events:' .. id, P .. 'log:' .. id, P .. 'children:' .. id,
    P .. 'waits:' .. id, P .. 'parts_of:' .. id)
end

-- Takes a job that has ended out of Redis, with its parts.
local function forget(id)
  local state, kind, key = unpack(redis.call('HMGET', record(id), 'state', 'kind', 'key'))
  for _, index in ipairs(indices(state, kind)) do redis.call('ZREM', index, id) end
  for _, set in ipairs({ 'all', 'ids', 'kind:' .. kind, 'ended', 'passed:checkpoints', 'passed:artifacts',
    'passed:records' }) do
    redis.call('ZREM', P .. set, id)
  end
  if key and redis.call('GET', P .. 'key:' .. key) == id then redis.call('DEL', P .. 'key:' .. key) end
  for _, target in ipairs(refers(id)) do redis.call('SREM', users(target), id) end
  for _, part in ipairs(redis.call('LRANGE', P .. 'parts_of:' .. id, 0, -1)) do
    local of, its = unpack(redis.call('HMGET', record(part), 'whole', 'state'))
    if of == id then
      redis.call('ZREM', P .. 'parts:' .. its, part)
      drop(part)
    end
  end
  drop(id)
end
