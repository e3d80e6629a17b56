-- KEYS: record.
local kind = redis.call('TYPE', KEYS[1]).ok
if kind ~= 'hash' then
    -- Where there is something else, somebody else keeps it.
    return {}
end
return redis.call('HMGET', KEYS[1], 'status', 'request', 'response')
