// The official TypeScript client, driven line by line: node sdk.mjs MODE
//
// Each line of standard input is a step, such as {"do": "connect", "url": ...}; each gets one line, {"answer": ...}
// or {"error": ...}. What the server says or asks in between comes as {"heard": METHOD, "params": ...}.

import { createRequire } from 'node:module';
import { createInterface } from 'node:readline';

const require = createRequire(`${process.env.MCP_PEERS}/npm/`);
const { Client, StreamableHTTPClientTransport } = require('@modelcontextprotocol/client');

const mode = process.argv[2];
const say = value => process.stdout.write(`${JSON.stringify(value)}\n`);
const hear = (method, params = {}) => say({ heard: method, params });

const answers = {
    'sampling/createMessage': {
        model: 'no-model',
        role: 'assistant',
        stopReason: 'endTurn',
        content: { type: 'text', text: 'the answer of sdk.mjs' }
    },
    'elicitation/create': { action: 'accept', content: { name: 'Ada', color: 'green', integer: 7 } },
    'roots/list': { roots: [{ uri: 'file:///home/ada', name: 'the root of sdk.mjs' }] }
};
const heard = ['message', 'tools/list_changed', 'prompts/list_changed', 'resources/list_changed', 'resources/updated'];

let client;
let transport;

function newClient() {
    const client = new Client(
        { name: 'clients-test', version: '1.0.0' },
        {
            capabilities: { sampling: {}, elicitation: { form: {}, url: {} }, roots: { listChanged: true } },
            versionNegotiation: { mode: mode === 'modern' ? { pin: '2026-07-28' } : mode }
        }
    );
    for (const [method, answer] of Object.entries(answers)) {
        client.setRequestHandler(method, ({ params }) => {
            hear(method, params);
            if (JSON.stringify(params)?.includes('refuse')) throw new Error('sdk.mjs refuses');
            return params?.mode === 'url' ? { action: 'accept' } : answer;
        });
    }
    for (const method of heard.map(name => `notifications/${name}`)) {
        client.setNotificationHandler(method, ({ params }) => hear(method, params));
    }
    return client;
}

const steps = {
    connect: async ({ url, headers }) => {
        client = newClient();
        transport = new StreamableHTTPClientTransport(new URL(url), { requestInit: { headers } });
        await client.connect(transport);
        return {
            protocol: client.getNegotiatedProtocolVersion(),
            name: client.getServerVersion()?.name,
            capabilities: client.getServerCapabilities(),
            instructions: client.getInstructions()
        };
    },
    tools: () => client.listTools(),
    prompts: () => client.listPrompts(),
    resources: () => client.listResources(),
    templates: () => client.listResourceTemplates(),
    call: ({ name, args, timeout_ms, level }) => {
        const meta = level && { _meta: { 'io.modelcontextprotocol/logLevel': level } };
        const signal = timeout_ms && { signal: AbortSignal.timeout(timeout_ms) };
        const onprogress = params => hear('notifications/progress', params);
        return client.callTool({ name, arguments: args, ...meta }, { ...signal, onprogress });
    },
    together: ({ calls }) => Promise.all(calls.map(steps.call)),
    prompt: ({ name, args }) => client.getPrompt({ name, arguments: args }),
    read: ({ uri }) => client.readResource({ uri }),
    complete: ({ ref, name, value }) => client.complete({ ref, argument: { name, value } }),
    level: ({ level }) => client.setLoggingLevel(level),
    // Since 2026-07-28 a client asks to hear of changes; before, they come by themselves, updates excepted.
    listen: async ({ uri }) => {
        const all = { toolsListChanged: true, promptsListChanged: true, resourcesListChanged: true };
        return client.getProtocolEra() === 'modern'
            ? (await client.listen({ ...all, resourceSubscriptions: [uri] })).honoredFilter
            : client.subscribeResource({ uri });
    },
    leave: async () => {
        if (transport.sessionId) await transport.terminateSession();
        await client.close();
        return {};
    }
};

for await (const line of createInterface({ input: process.stdin })) {
    const step = JSON.parse(line);
    try {
        say({ answer: await steps[step.do](step) });
    } catch (error) {
        say({ error: { code: error.code ?? null, message: String(error.message ?? error) } });
    }
}
process.exit(0);
