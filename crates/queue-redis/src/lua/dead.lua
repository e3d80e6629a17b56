-- KEYS: processing, dead. ARGV: prefix of claims, id, token, the dead letter, how long the record is kept (ms).
local id = ARGV[2]
local claim = ARGV[1] .. id
if not held(KEYS[1], claim, id, ARGV[3]) then
    return 'lost'
end
allow_writes(claim)
redis.call('LPUSH', KEYS[2], ARGV[4])
local record = redis.call('HGET', claim, 'record')
if record and redis.pcall('HGET', record, 'claim') == id then
    -- Whoever sends the dead letter again finds that nobody has begun it.
    redis.call('HDEL', record, 'claim')
    redis.call('HSET', record, 'status', 'error')
    redis.call('PEXPIRE', record, ARGV[5])
end
redis.call('ZREM', KEYS[1], id)
redis.call('DEL', claim)
return 'done'
