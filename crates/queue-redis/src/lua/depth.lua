-- KEYS: processing, dead, then the lists. Answers: waiting, claimed, dead.
local waiting = redis.call('ZCOUNT', KEYS[1], 0, 0)
local claimed = redis.call('ZCARD', KEYS[1]) - waiting
for index = 3, #KEYS do
    waiting = waiting + redis.call('LLEN', KEYS[index])
end
return { waiting, claimed, redis.call('LLEN', KEYS[2]) }
