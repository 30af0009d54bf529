-- ARGV: id, what of it ('checkpoints', 'artifacts' or 'all'), what is allowed ('' if nobody may refer to it, 'parents'
-- if jobs that have ended may, 'all' if a model's name may as well), '1' if its record is in the archive. Says in the
-- records that it goes; the objects follow. Answers with OK, or why not, and who stands in the way.
local id, what, allowed, archived = unpack(ARGV)
local target = 'job/' .. id
local state, whole, kind, parts, removed = unpack(redis.call('HMGET', record(id), 'state', 'whole', 'kind', 'parts',
  'removed'))
if not state and archived ~= '1' then
  return { redis.call('HGET', P .. 'deleting', target) == 'all' and 'OK' or 'UNKNOWN', '' }
end
if whole then return { 'PART', whole } end
if state and not FINAL[state] then return { 'UNFINISHED', state } end
local by = holder(target, allowed == 'all')
if by then return { 'HELD', by } end
if state == 'FAILED' or state == 'CANCELLED' then
  -- Its parts may be taken over by a job that has not ended and was asked to reuse them.
  for _, other in ipairs(parts and { 'WAITING', 'QUEUED', 'RUNNING', 'PAUSED' } or {}) do
    for _, job in ipairs(redis.call('ZRANGE', P .. 'state:' .. other .. ':' .. kind, 0, -1)) do
      local division = get(job, 'division')
      if division and cjson.decode(division).reuse then return { 'HELD', 'job/' .. job } end
    end
  end
end
if allowed == '' and what ~= 'checkpoints' then
  for _, user in ipairs(redis.call('SMEMBERS', users(target))) do
    if get(user, 'state') then return { 'PARENT', user } end
  end
end
if what == 'all' then
  if state then forget(id) end
  redis.call('DEL', users(target))
elseif state then
  local gone = what == 'artifacts' and 'checkpoints,artifacts' or 'checkpoints'
  if removed ~= 'checkpoints,artifacts' then redis.call('HSET', record(id), 'removed', gone) end
  redis.call('ZREM', P .. 'passed:checkpoints', id)
  if what == 'artifacts' then
    redis.call('ZREM', P .. 'passed:artifacts', id)
    unlike(id)
  end
end
local before = redis.call('HGET', P .. 'deleting', target)
if before == 'all' or (before == 'artifacts' and what == 'checkpoints') then what = before end
redis.call('HSET', P .. 'deleting', target, what)
return { 'OK', '' }
