// The smallest function of Node: it speaks the Runtime API itself, as the runtime of Lambda does, and loads nothing else.
import http from 'node:http'

const [host, port] = process.env.AWS_LAMBDA_RUNTIME_API.split(':')
const agent = new http.Agent({ keepAlive: true })
const call = (method, path, body) =>
  new Promise((resolve, reject) => {
    const request = http.request({ host, port, method, path: `/2018-06-01/runtime/invocation/${path}`, agent }, (answer) => {
      const chunks = []
      answer.on('data', (chunk) => chunks.push(chunk))
      answer.on('end', () => resolve({ headers: answer.headers, body: Buffer.concat(chunks).toString() }))
    })
    request.on('error', reject)
    request.end(body)
  })

const handler = async () => ({ statusCode: 200, headers: { 'content-type': 'text/plain' }, body: 'hello' })

for (;;) {
  const { headers, body } = await call('GET', 'next')
  const response = await handler(JSON.parse(body))
  await call('POST', `${headers['lambda-runtime-aws-request-id']}/response`, JSON.stringify(response))
}
