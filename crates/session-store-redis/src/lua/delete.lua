-- KEYS: record, index, ends. ARGV: id, channel.
local deleted = redis.call('DEL', KEYS[1])
redis.call('ZREM', KEYS[2], ARGV[1])
redis.call('ZREM', KEYS[3], ARGV[1])
if deleted == 1 then
    redis.call('PUBLISH', ARGV[2], ARGV[1])
end
return deleted
