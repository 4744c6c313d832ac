#include "pg/explain.h"

#include <jansson.h>
#include <string.h>

static const char *text_of(struct pgm_arena *arena, json_t *object, const char *key)
{
	return pgm_strdup(arena, json_string_value(json_object_get(object, key)));
}

static double number_of(json_t *object, const char *key)
{
	return json_number_value(json_object_get(object, key));
}

static const char *condition_of(struct pgm_arena *arena, json_t *object)
{
	static const char *const keys[] = {"Filter",	 "Index Cond",	"Recheck Cond", "Hash Cond",
					   "Merge Cond", "Join Filter", "TID Cond"};
	for (size_t i = 0; i < sizeof(keys) / sizeof(*keys); i++)
		if (json_object_get(object, keys[i]))
			return text_of(arena, object, keys[i]);
	return NULL;
}

static struct pgm_explain_node *parse_node(struct pgm_arena *arena, json_t *object)
{
	struct pgm_explain_node *node = PGM_NEW(arena, struct pgm_explain_node);
	node->type = text_of(arena, object, "Node Type");
	if (!node->type)
		node->type = "?";
	node->relation = text_of(arena, object, "Relation Name");
	node->schema = text_of(arena, object, "Schema");
	node->alias = text_of(arena, object, "Alias");
	node->index = text_of(arena, object, "Index Name");
	node->condition = condition_of(arena, object);
	node->total_cost = number_of(object, "Total Cost");
	node->rows = number_of(object, "Plan Rows");
	node->width_bytes = number_of(object, "Plan Width");
	node->loops = number_of(object, "Actual Loops");
	node->actual_ms = number_of(object, "Actual Total Time") * node->loops;
	node->actual_rows = number_of(object, "Actual Rows") * node->loops;
	node->hit_blocks = number_of(object, "Shared Hit Blocks") + number_of(object, "Local Hit Blocks");
	node->read_blocks = number_of(object, "Shared Read Blocks") + number_of(object, "Local Read Blocks");
	node->temp_blocks = number_of(object, "Temp Read Blocks") + number_of(object, "Temp Written Blocks");

	json_t *children = json_object_get(object, "Plans");
	node->child_count = json_array_size(children);
	node->children = PGM_NEW_ARRAY(arena, struct pgm_explain_node *, node->child_count);
	for (size_t i = 0; i < node->child_count; i++)
		node->children[i] = parse_node(arena, json_array_get(children, i));
	return node;
}

bool pgm_explain_parse(struct pgm_arena *arena, const char *json, struct pgm_explain *plan,
		       struct pgm_error *err)
{
	json_error_t problem;
	json_t *document = json_loads(json, 0, &problem);
	json_t *top = json_array_get(document, 0);
	json_t *root = json_object_get(top, "Plan");
	if (!root) {
		json_decref(document);
		return pgm_error_set(err, PGM_ERR_QUERY, "EXPLAIN printed no plan");
	}
	plan->root = parse_node(arena, root);
	plan->planning_ms = number_of(top, "Planning Time");
	plan->execution_ms = number_of(top, "Execution Time");
	json_decref(document);
	return true;
}

bool pgm_explain_run(struct pgm_conn *conn, struct pgm_arena *arena, const char *options, const char *sql,
		     struct pgm_explain *plan, struct pgm_error *err)
{
	char *json;
	char *statement =
		pgm_sprintf(arena, "EXPLAIN (%s%sFORMAT JSON) %s", options, *options ? ", " : "", sql);
	if (!pgm_conn_value(conn, arena, statement, 0, NULL, &json, err))
		return false;
	return pgm_explain_parse(arena, json ? json : "", plan, err);
}

static double own_cost(const struct pgm_explain_node *node)
{
	double own = node->loops > 0 ? node->actual_ms : node->total_cost;
	for (size_t i = 0; i < node->child_count; i++)
		own -= node->loops > 0 ? node->children[i]->actual_ms : node->children[i]->total_cost;
	return own;
}

static const struct pgm_explain_node *dearest(const struct pgm_explain_node *node)
{
	const struct pgm_explain_node *best = node;
	for (size_t i = 0; i < node->child_count; i++) {
		const struct pgm_explain_node *below = dearest(node->children[i]);
		/* A node that reads a relation says more than the sort or aggregate above it. */
		if ((below->relation && !best->relation) ||
		    (!below->relation == !best->relation && own_cost(below) > own_cost(best)))
			best = below;
	}
	return best;
}

static const char *index_of(const struct pgm_explain_node *node)
{
	for (const struct pgm_explain_node *at = node; at; at = at->child_count ? at->children[0] : NULL)
		if (at->index)
			return at->index;
	return NULL;
}

const char *pgm_explain_headline(struct pgm_arena *arena, const struct pgm_explain *plan)
{
	const struct pgm_explain_node *node = dearest(plan->root);
	const char *index = index_of(node);
	if (!node->relation)
		return node->type;
	return pgm_sprintf(arena, "%s%s%s on %s", node->type, index ? " using " : "", index ? index : "",
			   node->relation);
}

void pgm_explain_visit(const struct pgm_explain_node *node,
		       void (*visit)(const struct pgm_explain_node *, void *), void *arg)
{
	visit(node, arg);
	for (size_t i = 0; i < node->child_count; i++)
		pgm_explain_visit(node->children[i], visit, arg);
}
