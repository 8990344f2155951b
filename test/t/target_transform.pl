# A transform: one SELECT over the relation "batch", run at the destination for every batch.
use strict;
use warnings;

use TwoServers;
use Test::More;

my ($source, $destination) = start_servers();

# Runs statements at the destination and returns what they print, errors too, as one line.
sub results
{
	my (undef, $out, $err) = $destination->psql('postgres', join ';', @_);
	return join ' ', split /\n/, $out . $err;
}

# Copies orders in batches of 4 through a transform.
sub transform_sql
{
	my ($transform, @arguments) = @_;
	my ($query, $target) = ('SELECT * FROM orders ORDER BY id', "'result'");
	return copy_sql($query, undef, target => $target, batch => 4, transform => "\$transform\$$transform\$transform\$", @arguments);
}

my $mood = q[CREATE TYPE mood AS ENUM ('sad', 'happy')];
$source->safe_psql('postgres', <<SQL);
	$mood;
	CREATE TABLE orders (id int PRIMARY KEY, "Customer" text, price numeric, state mood, tags text[], at timestamptz);
	INSERT INTO orders SELECT g, 'c' || g % 3, g + 0.5, (ARRAY['sad', 'happy'])[1 + g % 2]::mood, ARRAY['t' || g],
	  timestamptz '2018-07-29 00:00Z' + g * interval '1 hour' FROM generate_series(1, 10) AS g;
	CREATE TABLE no_orders (LIKE orders);
SQL
$destination->safe_psql('postgres', <<SQL);
	$mood;
	CREATE TABLE customer (code text PRIMARY KEY, number int);
	INSERT INTO customer VALUES ('c0', 100), ('c1', 101);
	CREATE TABLE result (id bigint, customer int, name text, cents int, state mood, hash text, n int, day date,
	  doubled int GENERATED ALWAYS AS (cents * 2) STORED);
SQL

for my $case (
	[ 'columns as they come', 'SELECT id, "Customer" AS name FROM batch', 10, 'sum(id), min(name), max(name)', '55|c0|c2' ],
	[ 'TABLE of a selection', 'TABLE batch', 10, 'sum(id)', '55', query => 'SELECT id FROM orders' ],
	[ 'casts', 'SELECT id, (price * 100)::int AS cents, (at AT TIME ZONE $$UTC$$)::date AS day FROM batch', 10,
		'sum(cents), max(day)', '6000|2018-07-29' ],
	[ 'assignment casts', 'SELECT id, price AS cents FROM batch', 10, 'sum(cents), sum(doubled)', '65|130' ],
	[ 'an inner join to a local table', 'SELECT b.id, c.number AS customer FROM batch AS b JOIN customer AS c ON c.code = b."Customer"',
		7, 'sum(customer)', '704' ],
	[ 'an outer join', 'SELECT id, number AS customer FROM batch LEFT JOIN customer ON code = "Customer"', 10,
		'count(customer)', '7' ],
	[ 'a filter', 'SELECT id FROM batch WHERE price > 5', 6, 'min(id)', '5' ],
	[ 'nothing passes', 'SELECT id FROM batch WHERE false', 0, 'count(*)', '0' ],
	[ 'a hash', 'SELECT id, encode(sha256(convert_to("Customer", $$UTF8$$)), $$hex$$) AS hash FROM batch', 10,
		'count(DISTINCT hash), min(length(hash))', '3|64' ],
	[ 'an aggregate sees one batch', 'SELECT count(*) AS n, min(id) AS id FROM batch', 3, q[string_agg(n::text, ',' ORDER BY id)],
		'4,4,2' ],
	[ 'a window function sees one batch', 'SELECT id, row_number() OVER (ORDER BY id) AS n FROM batch', 10, 'max(n)', '4' ],
	[ 'an enum, which comes as text', 'SELECT id, state::mood, upper(state) AS name FROM batch', 10,
		q[count(*) FILTER (WHERE state = 'happy'), max(name)], '5|SAD' ],
	[ 'more rows than came', 'SELECT id, t AS name FROM batch, unnest(tags || tags) AS t', 20, 'count(DISTINCT name)', '10' ],
	[ 'the batch read twice', 'SELECT a.id, b.id AS n FROM batch AS a JOIN batch AS b ON b.id = a.id + 1', 7, 'count(*)', '7' ],
	[ 'the batch in a subquery', 'SELECT id, (SELECT count(*) FROM batch) AS n FROM batch', 10, 'sum(n)', '36' ],
	[ 'UNION', 'SELECT id FROM batch UNION ALL SELECT id + 100 FROM batch', 20, 'max(id)', '110' ],
	[ 'WITH', 'WITH b AS (SELECT * FROM batch), c AS (SELECT id FROM b WHERE id > 9) SELECT id FROM c', 1, 'max(id)', '10' ],
	[ 'WITH that hides the batch', 'WITH batch AS (SELECT 7 AS id) SELECT id FROM batch', 3, 'sum(id)', '21' ],
	[ 'no batch at all', 'SELECT 1 AS id', 3, 'sum(id)', '3' ], [ 'VALUES', q[SELECT * FROM (VALUES (1, 'x')) AS v (id, name)], 3, 'max(name)', 'x' ],
	[ 'LIMIT', 'SELECT id FROM batch ORDER BY id DESC LIMIT 1', 3, q[string_agg(id::text, ',')], '4,8,10' ],
	[ 'parentheses', '(SELECT id FROM batch)', 10, 'sum(id)', '55' ],
	[ 'a comment at the end', 'SELECT id FROM batch -- the end', 10, 'sum(id)', '55' ],
	[ 'a semicolon at the end', "SELECT id FROM batch ; -- the end\n", 10, 'sum(id)', '55' ],
	[ 'strings with semicolons', q[SELECT id, '); DROP TABLE result; --' AS name FROM batch], 10, 'max(name)', '); DROP TABLE result; --' ],
	[ 'braces mean nothing', q[SELECT id, '{}' AS name FROM batch], 10, 'max(name)', '{}' ],
	[ 'a column that the target computes is left out', 'SELECT id, 5 AS cents, 1 AS doubled FROM batch', 10, 'max(doubled)', '10' ],
	[ 'literals', q[SELECT 1 AS id, 'x' AS name, NULL::int AS cents], 3, 'max(name), count(cents)', 'x|0' ])
{
	my ($name, $transform, $written, $columns, $expected, %option) = @$case;
	my $sql = transform_sql($transform);
	$sql =~ s/SELECT \* FROM orders ORDER BY id/$option{query}/ if $option{query};
	is(results('TRUNCATE result', "SET client_min_messages = error", $sql, "SELECT $columns FROM result"), "$written $expected",
		"transform: $name");
}
is(results(q[SELECT DISTINCT rows_read FROM copy_incremental_runs]), '10', 'the ledger has the rows that came');
is(results('TRUNCATE result', copy_sql('TABLE no_orders', undef, target => "'result'", transform => q['SELECT id FROM batch'])), '0',
	'an empty result');
is(results('CREATE TABLE batch (id int)', 'INSERT INTO batch VALUES (1000)', 'TRUNCATE result',
		transform_sql('SELECT id FROM batch -- a'), 'DROP TABLE batch', 'SELECT max(id) FROM result') =~ s/psql:.*//r, '10 10',
	'a local table of that name is not meant');

# With each mode.
$destination->safe_psql('postgres', 'CREATE TABLE per_customer (name text PRIMARY KEY, n int)');
my $renamed = 'SELECT "Customer" AS name, id AS n FROM batch';
my $state = q[SELECT string_agg(name || '=' || n, ' ' ORDER BY name) FROM per_customer];
for my $case ([ skip => 3, 'c0=3 c1=1 c2=2' ], [ upsert => undef, 'c0=9 c1=10 c2=8' ])
{
	my ($mode, $written, $expected) = @$case;
	for my $batch (1, 4, 100)
	{
		my $sql = transform_sql($renamed, mode => "'$mode'", target => "'per_customer'", batch => $batch);
		like(results('TRUNCATE per_customer', $sql, $state), qr/ \Q$expected\E$/, "$mode: duplicates made by the transform, batch $batch");
	}
}
like(results('TRUNCATE per_customer', transform_sql($renamed, target => "'per_customer'")), qr/per_customer_pkey/,
	'append: duplicates made by the transform are an error');
is(results('TRUNCATE per_customer', q[INSERT INTO per_customer VALUES ('c1', 0), ('x', 0)],
		transform_sql('SELECT DISTINCT ON (1) "Customer" AS name, id AS n FROM batch WHERE id < 5', target => "'per_customer'",
			mode => "'replace'", replace_where => q['name LIKE $$c%$$']), $state), '3 c0=3 c1=1 c2=2 x=0',
	'replace: the slice is judged after the transform');
like(results('TRUNCATE per_customer', transform_sql('SELECT DISTINCT upper("Customer") AS name, 1 AS n FROM batch', target => "'per_customer'", mode => "'replace'",
			replace_where => q['name LIKE $$c%$$'])), qr/ERROR:  3 rows of the source are outside of replace_where/,
	'replace: rows that the transform put outside');
like(results(transform_sql('SELECT id AS n FROM batch', target => "'per_customer'", mode => "'upsert'")),
	qr/key column "name" of target public.per_customer is not among the source columns/, 'upsert: a key that the transform drops');

# Errors point into the text of the user, and what is no SELECT is refused.
for my $case (
	[ 'an unknown column', "SELECT id,\n  nothing FROM batch", '42703', qr/LINE 2:   nothing FROM batch\n +\^/ ],
	[ 'an unknown column behind other letters', q[SELECT id, 'äöü' AS name, nothing FROM batch], '42703',
		qr/LINE 1: SELECT id, 'äöü' AS name, nothing FROM batch\n {34}\^/ ],
	[ 'an unknown table', 'SELECT id FROM nowhere', '42P01', qr/LINE 1: SELECT id FROM nowhere\n +\^/ ],
	[ 'a syntax error', 'SELECT id FORM batch x', '42601', qr/LINE 1: SELECT id FORM batch x\n +\^/ ],
	[ 'a closing parenthesis', 'SELECT id FROM batch) AS x, (SELECT 1', '42601', qr/LINE 1: SELECT id FROM batch\) AS x.*\n +\^/ ],
	[ 'an open parenthesis', 'SELECT (id FROM batch', '42601', qr/LINE 1: SELECT \(id FROM batch\n +\^/ ],
	[ 'an open string', q[SELECT 'id FROM batch], '42601', qr/unterminated quoted string/ ],
	[ 'an open comment', 'SELECT id FROM batch /*', '42601', qr/unterminated/ ],
	[ 'a parameter', 'SELECT id FROM batch WHERE id > $1', '42P02', qr/there is no parameter \$1/ ],
	[ 'a locking clause', 'SELECT id FROM batch FOR UPDATE OF batch', '0A000', qr/FOR UPDATE cannot be applied to a WITH query/ ],
	[ 'two statements', 'SELECT id FROM batch; SELECT 1 AS id', '42601', qr/transform must be a single SELECT/ ],
	[ 'an INSERT', 'INSERT INTO customer SELECT 1 FROM batch RETURNING 1 AS id', '42601', qr/transform must be a single SELECT/ ],
	[ 'a DELETE', 'DELETE FROM customer', '42601', qr/transform must be a single SELECT/ ],
	[ 'DML in WITH', 'WITH d AS (DELETE FROM customer RETURNING *) SELECT 1 AS id FROM d', '42601', qr/must be a single SELECT/ ],
	[ 'DML in an inner WITH', 'SELECT * FROM (WITH d AS (DELETE FROM customer RETURNING 1 AS id) SELECT id FROM d) AS x', '0A000',
		qr/must be at the top level/ ],
	[ 'SELECT INTO', 'SELECT id INTO new_table FROM batch', '42601', qr/must be a single SELECT/ ],
	[ 'CREATE TABLE AS', 'CREATE TABLE new_table AS SELECT id FROM batch', '42601', qr/must be a single SELECT/ ],
	[ 'EXPLAIN', 'EXPLAIN SELECT id FROM batch', '42601', qr/must be a single SELECT/ ],
	[ 'nothing', '', '42601', qr/transform (is empty|must be a single SELECT)/ ],
	[ 'a comment', '-- nothing', '42601', qr/transform (is empty|must be a single SELECT)/ ],
	[ 'a column that the target lacks', 'SELECT id, 1 AS other FROM batch', '42804',
		qr/column "other" does not exist in target public.result/ ],
	[ 'a column without a name', 'SELECT id + 1 FROM batch', '42804', qr/column "\?column\?" does not exist in target/ ],
	[ 'one column twice', 'SELECT id, id FROM batch', '42701', qr/transform returns the column "id" more than once/ ],
	[ 'no columns', 'SELECT FROM batch', '42804', qr/no column that can be written/ ],
	[ 'a literal without a type', 'SELECT id, NULL AS n FROM batch', '42804', qr/column "n" is of type integer but expression is of type text/ ],
	[ 'an enum without a cast', 'SELECT id, state FROM batch', '42804', qr/column "state" is of type mood but expression is of type text/ ],
	[ 'a division by zero in the last batch', 'SELECT id, 1 / (id - 10) AS n FROM batch', '22012', qr/batch 3/ ])
{
	my ($name, $transform, $sqlstate, $message) = @$case;
	my $err = fails_with($destination, transform_sql($transform), $sqlstate, $message, "error: $name");
}
is(results('SELECT count(*) FROM customer', q[SELECT to_regclass('new_table') IS NULL]), '2 t', 'nothing was written beside the target');

no_session_left($source, 'no session is left at the source');
done_testing();
