// The same pool, batch and timer from C++: connections and times end with their scope, also by an exception.
//
//	c++ orders.cpp $(pkg-config --cflags --libs libpgmend) -pthread -o orders
#include <cstdio>
#include <libpq-fe.h>
#include <memory>
#include <pgmend/pgmend.h>
#include <stdexcept>
#include <string>
#include <vector>

namespace {

struct CloseBatch {
	void operator()(pgmend_batch *batch) const
	{
		pgmend_batch_close(batch);
	}
};

void check(bool ok, const pgmend_error &err)
{
	if (!ok)
		throw std::runtime_error(std::string(pgmend_code_name(err.code)) + ": " + err.message);
}

class Shop {
public:
	Shop()
	{
		pgmend_error err;
		pgmend_pool_options options = {};
		options.struct_size = sizeof(options);
		options.application_name = "orders";
		check(pgmend_pool_options_from_env(&options, &err), err);
		timer = pgmend_timer_new(nullptr, &err);
		check(timer, err);
		pool = pgmend_pool_open(&options, &err);
		if (!pool)
			pgmend_timer_free(timer);
		check(pool, err);
	}
	~Shop()
	{
		pgmend_pool_close(pool, 0, nullptr);
		pgmend_timer_free(timer);
	}
	Shop(const Shop &) = delete;
	Shop &operator=(const Shop &) = delete;

	std::string execute(const char *sql)
	{
		pgmend::timed measure(timer, "execute", sql);
		pgmend_error err;
		pgmend::lease conn(pool, 0, &err);
		check(conn.get(), err);
		std::unique_ptr<PGresult, void (*)(PGresult *)> result(PQexec(conn.get(), sql), PQclear);
		if (PQresultStatus(result.get()) == PGRES_TUPLES_OK)
			return PQgetvalue(result.get(), 0, 0);
		if (PQresultStatus(result.get()) != PGRES_COMMAND_OK)
			throw std::runtime_error(PQresultErrorMessage(result.get()));
		return "";
	}

	void write(const std::vector<int64_t> &ids)
	{
		pgmend::timed measure(timer, "write");
		const pgmend_batch_column columns[] = {{"id", PGMEND_INT64}};
		pgmend_batch_options options = {};
		options.struct_size = sizeof(options);
		options.table = "pgmend_example_orders_cpp";
		options.columns = columns;
		options.column_count = 1;
		pgmend_error err;
		pgmend::lease conn(pool, 0, &err);
		check(conn.get(), err);
		std::unique_ptr<pgmend_batch, CloseBatch> batch(pgmend_batch_open(conn.get(), &options, &err));
		check(batch.get(), err);
		pgmend_column values = {};
		values.values = ids.data();
		check(pgmend_batch_add_columns(batch.get(), &values, ids.size(), &err), err);
		check(pgmend_batch_finish(batch.get(), &err), err);
	}

	pgmend_pool *pool = nullptr;
	pgmend_timer *timer = nullptr;
};

} // namespace

int main()
{
	try {
		Shop shop;
		shop.execute("CREATE TABLE pgmend_example_orders_cpp (id bigint PRIMARY KEY)");
		std::vector<int64_t> ids(10000);
		for (size_t i = 0; i < ids.size(); i++)
			ids[i] = static_cast<int64_t>(i);
		shop.write(ids);
		std::printf("%s orders\n",
			    shop.execute("SELECT count(*) FROM pgmend_example_orders_cpp").c_str());
		shop.execute("DROP TABLE pgmend_example_orders_cpp");
	} catch (const std::exception &error) {
		std::fprintf(stderr, "%s\n", error.what());
		return 1;
	}
	return 0;
}
