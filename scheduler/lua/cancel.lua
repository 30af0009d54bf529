-- ARGV: id. What has not begun ends at once; a running job gets a flag, which its worker sees.
local id = ARGV[1]
local state = get(id, 'state')
if not state then return false end
if state == 'RUNNING' then
  redis.call('HSET', record(id), 'cancel', '1')
elseif state == 'WAITING' or state == 'QUEUED' or state == 'PAUSED' then
  finish(id, 'CANCELLED', '', '')
end
return get(id, 'state')
