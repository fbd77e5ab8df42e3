import type Type from 'typebox';
import { isJsonObject, type Json, type JsonObject } from '../core/json.ts';
import { metadataKeyword } from '../core/parameters/fields.ts';
import { redactSecrets } from '../core/parameters/parse.ts';

const mask = '********';
/** Shorter values occur by chance everywhere; masking them would only spoil messages. */
const shortestMasked = 4;
/** Members that no schema knows may still be secrets, e.g. of a misspelt parameter. */
const secretName = /passw|secret|token|credential/i;

function isSecret(schema: unknown): boolean {
  if (!isJsonObject(schema)) return false;
  const metadata = schema[metadataKeyword];
  return isJsonObject(metadata) && metadata['secret'] === true;
}

/** The texts behind the secret parameters of one request. */
export function secretValues(schema: Type.TObject, paras: JsonObject): readonly string[] {
  return Object.entries(schema.properties)
    .filter(([, property]) => isSecret(property))
    .map(([key]) => paras[key])
    .filter((value) => typeof value === 'string' || typeof value === 'number')
    .map(String)
    .filter((value) => value.length >= shortestMasked);
}

/** A function that hides the given secrets wherever they occur in a text, e.g. in a server's error message. */
export function maskerOf(secrets: readonly string[]): (text: string) => string {
  // Longest first, so that a secret that begins with another one is hidden as a whole.
  const ordered = secrets.toSorted((one, other) => other.length - one.length);
  return (text) => ordered.reduce((masked, secret) => masked.replaceAll(secret, mask), text);
}

function withoutSecretNames(members: JsonObject, known: readonly string[]): JsonObject {
  return Object.fromEntries(
    Object.entries(members).map(([key, value]) => [
      key,
      secretName.test(key) && !known.includes(key) ? mask : value,
    ]),
  );
}

/** `paras` as they may be kept and shown. */
export function shownParas(schema: Type.TObject, paras: Json | undefined): JsonObject {
  const redacted = redactSecrets(schema, paras);
  return isJsonObject(redacted) ? withoutSecretNames(redacted, Object.keys(schema.properties)) : {};
}

/** A whole request as it may be kept and shown. */
export function shownRequest(schema: Type.TObject, request: Json): Json {
  if (!isJsonObject(request)) return {};
  const { paras, ...envelope } = request;
  const shown = withoutSecretNames(envelope, []);
  return paras === undefined ? shown : { ...shown, paras: shownParas(schema, paras) };
}
