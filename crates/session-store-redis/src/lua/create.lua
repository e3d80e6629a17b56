-- KEYS: record, index, ends. ARGV: id, end, data, token, channel.
-- A record with our own token is our own: the answer to the first attempt was lost.
if redis.call('EXISTS', KEYS[1]) == 1 then
    return (redis.call('HGET', KEYS[1], 't') == ARGV[4]) and 1 or 0
end
redis.call('HSET', KEYS[1], 'r', '1', 'e', ARGV[2], 'd', ARGV[3], 't', ARGV[4])
redis.call('PEXPIREAT', KEYS[1], ARGV[2])
redis.call('ZADD', KEYS[2], 0, ARGV[1])
redis.call('ZADD', KEYS[3], ARGV[2], ARGV[1])
redis.call('PUBLISH', ARGV[5], ARGV[1])
return 1
