-- KEYS: processing. ARGV: prefix of claims, id, token.
local id = ARGV[2]
local claim = ARGV[1] .. id
if not held(KEYS[1], claim, id, ARGV[3]) then
    return 'lost'
end
allow_writes(claim)
local kept = redis.call('HMGET', claim, 'list', 'payload', 'deliveries', 'begun', 'record')
local begun = kept[4]
if begun == ARGV[3] then
    -- This claim has begun it, and says that nothing has been done.
    begun = nil
    redis.call('HDEL', claim, 'begun', 'record')
    if kept[5] and redis.pcall('HGET', kept[5], 'claim') == id then
        redis.call('HDEL', kept[5], 'claim')
        redis.call('HSET', kept[5], 'status', 'queued')
    end
end
if begun or tonumber(kept[3]) > 1 then
    -- It has a history, which a list could not tell: it stays a claim, and is the next one to be taken over.
    redis.call('HDEL', claim, 'token')
    redis.call('ZADD', KEYS[1], 'XX', 0, id)
else
    redis.call('RPUSH', kept[1], kept[2])
    redis.call('ZREM', KEYS[1], id)
    redis.call('DEL', claim)
end
return 'done'
