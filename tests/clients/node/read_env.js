// Reads a JSON array of `.env` files from standard input with dotenv, and prints the variables of each as JSON.
import { readFileSync } from 'node:fs'

import dotenv from 'dotenv'

const files = JSON.parse(readFileSync(0, 'utf8'))
process.stdout.write(JSON.stringify(files.map((file) => dotenv.parse(file))))
