-- KEYS: processing. ARGV: prefix of claims, lease (ms), then id and token of each claim. Answers: the places of those that are
-- lost, from 0.
local time = redis.call('TIME')
local lease_end = string.format('%.0f', time[1] * 1000 + math.floor(time[2] / 1000) + tonumber(ARGV[2]))
local lost = {}
for index = 3, #ARGV, 2 do
    local id = ARGV[index]
    if held(KEYS[1], ARGV[1] .. id, id, ARGV[index + 1]) then
        redis.call('ZADD', KEYS[1], 'XX', lease_end, id)
    else
        lost[#lost + 1] = (index - 3) / 2
    end
end
return lost
