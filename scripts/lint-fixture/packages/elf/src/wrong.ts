// Deliberately wrong: elf is pure and imports no other room. The linter must refuse each of these lines.
import { readFileSync } from "node:fs";
import { compareObjects } from "@kgraft/delta";

export const wrong: unknown = [readFileSync, compareObjects];
