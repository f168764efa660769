/* Sessions: a signed session token is valid for 15 minutes; a refresh token, stored in the database, gets a new one. */
import { createHash, randomBytes } from 'node:crypto';
import { errors, jwtVerify, SignJWT } from 'jose';
import {
  createApp,
  HttpError,
  type Middleware,
  type RequestTypes,
  type ShardRequest,
  type ShardResponse,
} from 'loopshard';
import { z } from 'zod';
import { sql } from './database.js';
import { Credentials, User } from './models.js';
import { hashPassword, isPassword } from './passwords.js';

declare module 'loopshard' {
  interface ShardRequest {
    user?: User;
  }
}

const SESSION_SECONDS = 15 * 60;
const REFRESH_SECONDS = 30 * 24 * 60 * 60;
/** A hash that belongs to no user. */
const NO_PASSWORD = hashPassword('');
const Claims = z.object({ user: User });

export const sessions = createApp();

sessions.post('/users', { body: Credentials, response: User }, async (req, res) => {
  const { email, password } = req.body;
  const row = sql.get`INSERT INTO users (email, password, role) VALUES (${email}, ${hashPassword(password)}, 'customer')
    ON CONFLICT DO NOTHING RETURNING id, email, role`;
  if (row === undefined) throw new HttpError(409, 'An account with this email address already exists.');
  res.status(201);
  return logIn(User.parse(row), req, res);
});

sessions.post('/session', { body: Credentials, response: User }, (req, res) => {
  const row = sql.get`SELECT id, email, role, password FROM users WHERE email = ${req.body.email}`;
  const found = User.extend({ password: z.string() }).safeParse(row);
  // Always checks a password, so that the response time does not reveal whether the user exists.
  const isRight = isPassword(req.body.password, found.success ? found.data.password : NO_PASSWORD);
  if (!found.success || !isRight) {
    throw new HttpError(401, 'Wrong email address or password.');
  }
  return logIn(found.data, req, res);
});

/** Each refresh token can be used once: if two shards get the same one at the same time, only one of them deletes it. */
sessions.post('/session/refresh', { response: User }, (req, res) => {
  const row = sql.get`DELETE FROM refresh_tokens WHERE hash = ${hash(req.cookies.refresh ?? '')} AND expires_at > ${Date.now()}
    RETURNING (SELECT json_object('id', id, 'email', email, 'role', role) FROM users WHERE id = user_id) AS user`;
  const found = z.object({ user: z.string() }).safeParse(row);
  if (!found.success) throw new HttpError(401, 'Log in again.');
  return logIn(User.parse(JSON.parse(found.data.user)), req, res);
});

sessions.delete('/session', (req, res) => {
  sql.run`DELETE FROM refresh_tokens WHERE hash = ${hash(req.cookies.refresh ?? '')}`;
  res.clearCookie('session', { path: '/' }).clearCookie('refresh', { path: '/session' });
});

/** Rejects requests without a session. */
export const requireUser: Middleware = async (req, _res, next) => {
  req.user = await verify(req.cookies.session);
  return next();
};

export const requireAdmin: Middleware = async (req, _res, next) => {
  req.user = await verify(req.cookies.session);
  if (req.user.role !== 'admin') throw new HttpError(403, 'Administrators only.');
  return next();
};

/** Returns the user of a request. Needs the middleware `requireUser`. */
export function userOf(req: ShardRequest<RequestTypes>): User {
  if (req.user === undefined) throw new Error('This route needs the middleware `requireUser`.');
  return req.user;
}

async function logIn(user: User, req: ShardRequest<RequestTypes>, res: ShardResponse): Promise<User> {
  const session = await new SignJWT({ user: User.parse(user) })
    .setProtectedHeader({ alg: 'HS256' })
    .setExpirationTime(`${SESSION_SECONDS} s`)
    .sign(secret());
  const refresh = randomBytes(32).toString('base64url');
  sql.run`INSERT INTO refresh_tokens VALUES (${hash(refresh)}, ${user.id}, ${Date.now() + REFRESH_SECONDS * 1_000})`;
  const common = { httpOnly: true, sameSite: 'strict', secure: req.protocol === 'https' } as const;
  res.cookie('session', session, { ...common, path: '/', maxAge: SESSION_SECONDS });
  res.cookie('refresh', refresh, { ...common, path: '/session', maxAge: REFRESH_SECONDS });
  return user;
}

async function verify(session = ''): Promise<User> {
  try {
    const { payload } = await jwtVerify(session, secret(), { algorithms: ['HS256'] });
    return Claims.parse(payload).user;
  } catch (cause) {
    if (cause instanceof errors.JOSEError) throw new HttpError(401, 'Log in first.', { cause });
    throw cause;
  }
}

/** The signing key, which is stored in the database so that all shards use the same one. */
function secret(): Uint8Array {
  return z.object({ value: z.instanceof(Uint8Array) }).parse(sql.get`SELECT value FROM secrets WHERE name = 'session'`)
    .value;
}

function hash(token: string): string {
  return createHash('sha256').update(token).digest('hex');
}
