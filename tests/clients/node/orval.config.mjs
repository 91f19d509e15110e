export default { bespoke: { input: './openapi.json', output: { target: './orval/client.ts', client: 'fetch', baseUrl: { runtime: 'process.env.API' } } } };
