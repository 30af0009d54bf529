-- ARGV: ids of jobs. Enters what they refer to, and when they ended: a version before did not.
for _, id in ipairs(ARGV) do
  local state, finished, created = unpack(redis.call('HMGET', record(id), 'state', 'finished', 'created'))
  if state then
    for _, target in ipairs(refers(id)) do redis.call('SADD', users(target), id) end
    if FINAL[state] and not redis.call('ZSCORE', P .. 'ended', id) then note_end(id, finished or created) end
  end
end
