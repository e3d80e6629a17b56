-- KEYS: record, index, ends. ARGV: id, end, data, token, channel, revision, next revision.
-- Revisions are text here: a number of Lua's is not exact above 2^53.
local kept = redis.call('HMGET', KEYS[1], 'r', 't')
if not kept[1] then
    return false
end
if kept[1] ~= ARGV[6] then
    if kept[1] == ARGV[7] and kept[2] == ARGV[4] then
        return { 'saved', ARGV[7] }
    end
    return { 'kept', kept[1] }
end
redis.call('HSET', KEYS[1], 'r', ARGV[7], 'e', ARGV[2], 'd', ARGV[3], 't', ARGV[4])
redis.call('PEXPIREAT', KEYS[1], ARGV[2])
redis.call('ZADD', KEYS[2], 0, ARGV[1])
redis.call('ZADD', KEYS[3], ARGV[2], ARGV[1])
redis.call('PUBLISH', ARGV[5], ARGV[1])
return { 'saved', ARGV[7] }
