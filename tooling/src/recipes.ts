import type { Recipe } from "./recipe.ts"
import { command } from "./recipes/command.ts"
import { filterFunction } from "./recipes/filter-function.ts"
import { property } from "./recipes/property.ts"
import { reason } from "./recipes/reason.ts"
import { route } from "./recipes/route.ts"

/** Each recipe of CONTRIBUTING.md that is tried, as an example of its kind of change. */
export const recipes: ReadonlyArray<Recipe> = [property, filterFunction, route, command, reason]
