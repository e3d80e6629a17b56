-- KEYS: record, the list to push to, then all lists. ARGV: payload, max_depth, how long a waiting record is kept (ms).
local kind = redis.call('TYPE', KEYS[1]).ok
if kind == 'hash' then
    return 'known'
elseif kind ~= 'none' then
    return redis.error_reply('WRONGTYPE the key ' .. KEYS[1] .. ' is not a hash')
end
local waiting = 0
for index = 3, #KEYS do
    local length = redis.pcall('LLEN', KEYS[index])
    if failed(length) then
        return redis.error_reply('WRONGTYPE the key ' .. KEYS[index] .. ' is not a list')
    end
    waiting = waiting + length
end
if waiting >= tonumber(ARGV[2]) then
    return 'full'
end
redis.call('LPUSH', KEYS[2], ARGV[1])
local noted = redis.pcall('HSET', KEYS[1], 'status', 'queued', 'request', ARGV[1])
if failed(noted) then
    redis.call('LPOP', KEYS[2])
    return noted
end
redis.call('PEXPIRE', KEYS[1], ARGV[3])
return 'pushed'
