# The key by which skip and upsert know a row again, and which rows upsert takes for different.
use strict;
use warnings;

use TwoServers;
use Test::More;

my ($source, $destination) = start_servers();

sub results { return one_line($destination, 'default', @_); }

sub upsert_sql { return copy_sql($_[0], undef, mode => "'upsert'", @_[ 1 .. $#_ ]) }
sub skip_sql { return copy_sql($_[0], undef, mode => "'skip'", @_[ 1 .. $#_ ]) }

$source->safe_psql('postgres', <<'SQL');
	CREATE TABLE two (a int, b int, value text);
	INSERT INTO two VALUES (1, 1, 'x'), (1, 2, 'y'), (2, 1, 'z');
SQL

# Keys that no unique index can tell, and what the message names.
my @refused = (
	[ 'no key at all', '(a int, b int, value text)', undef, 'has no primary key' ],
	[ 'a unique index is no primary key', '(a int, b int UNIQUE, value text)', undef, 'has no primary key' ],
	[ 'no unique index', '(a int, b int, value text, PRIMARY KEY (a, b))', 'a', 'no unique index on \(a\)' ],
	[ 'more columns than the index', '(a int PRIMARY KEY, b int, value text)', 'a,b', 'no unique index on \(a, b\)' ],
	[ 'a partial index', '(a int, b int, value text); CREATE UNIQUE INDEX ON key_test (a) WHERE a > 0', 'a',
		'no unique index on \(a\)' ],
	[ 'an index of an expression', '(a int, b int, value text); CREATE UNIQUE INDEX ON key_test (abs(a))', 'a',
		'no unique index on \(a\)' ],
	[ 'an index that is not unique', '(a int, b int, value text); CREATE INDEX ON key_test (a)', 'a',
		'no unique index on \(a\)' ],
	[ 'a deferrable constraint', '(a int UNIQUE DEFERRABLE, b int, value text)', 'a', 'no unique index on \(a\)' ],
	[ 'a deferrable primary key', '(a int PRIMARY KEY DEFERRABLE, b int, value text)', undef, 'has no primary key' ],
	[ 'an exclusion constraint', '(a int4range, b int, value text, EXCLUDE USING gist (a WITH &&))', 'a',
		'no unique index on \(a\)' ],
	[ 'a key column with a default that the source lacks', '(id serial PRIMARY KEY, a int, b int, value text)', undef,
		'key column "id" of target public.key_test is not among the source columns' ],
	[ 'one column twice', '(a int PRIMARY KEY, b int, value text)', 'a,a', 'no unique index on \(a, a\)' ],
	[ 'INCLUDE columns are no key', '(a int, b int, value text, UNIQUE (a) INCLUDE (b))', 'a,b',
		'no unique index on \(a, b\)' ]);
for my $case (@refused)
{
	my ($name, $table, $key, $message) = @$case;
	my @arguments = (target => "'key_test'", defined $key ? (key_columns => "'{$key}'") : ());
	$destination->safe_psql('postgres', "DROP TABLE IF EXISTS key_test; CREATE TABLE key_test $table");
	fails_with($destination, upsert_sql('SELECT * FROM two', @arguments), '42P10', qr/$message/, "refused: $name");
}
fails_with($destination, skip_sql('SELECT * FROM two', target => "'key_test'", key_columns => "'{a,c}'"), '42703',
	qr/key column "c" does not exist in target public.key_test/, 'refused: a column that the target lacks');
fails_with($destination, skip_sql('SELECT * FROM two', target => "'key_test'", key_columns => "'{}'"), '22023',
	qr/key_columns must not be empty/, 'refused: no columns');
fails_with($destination, skip_sql('SELECT * FROM two', target => "'key_test'", key_columns => "'{a,NULL}'"), '22004',
	qr/key_columns must not contain nulls/, 'refused: a null');

# Keys of every shape: the call copies three rows, then one row that differs, then nothing.
my @accepted = (
	[ 'the primary key', '(a int, b int, value text, PRIMARY KEY (a, b))' ],
	[ 'in another order than the index', '(a int, b int, value text, PRIMARY KEY (b, a))', 'a,b' ],
	[ 'a unique index beside the primary key',
		'(id serial PRIMARY KEY, a int, b int, value text, UNIQUE (a, b))', 'b,a' ],
	[ 'an index with INCLUDE', '(a int, b int, value text, UNIQUE (a, b) INCLUDE (value))', 'a,b' ],
	[ 'columns of wider types', '(a bigint, b numeric, value varchar(5), PRIMARY KEY (a, b))' ],
	[ 'columns of text', '(a text, b text, value text, PRIMARY KEY (a, b))' ],
	[ 'a domain', '(a whole, b int, value text, PRIMARY KEY (a, b))' ],
	[ 'a partitioned target',
		'(a int, b int, value text, PRIMARY KEY (a, b)) PARTITION BY LIST (a);
		 CREATE TABLE key_1 PARTITION OF key_test FOR VALUES IN (1);
		 CREATE TABLE key_2 PARTITION OF key_test FOR VALUES IN (2)' ],
	[ 'partitions with columns in another order',
		'(a int, b int, value text, PRIMARY KEY (a, b)) PARTITION BY LIST (a);
		 CREATE TABLE key_1 (value text, b int NOT NULL, a int NOT NULL);
		 ALTER TABLE key_test ATTACH PARTITION key_1 DEFAULT' ],
	[ 'a dropped column', '(gone int, a int, b int, value text, PRIMARY KEY (a, b)); ALTER TABLE key_test DROP gone' ],
	[ 'a view', '(a int, b int, value text, PRIMARY KEY (a, b)); ALTER TABLE key_test RENAME TO key_table;
		 CREATE VIEW key_test AS SELECT * FROM key_table', 'a,b' ]);
$destination->safe_psql('postgres', 'CREATE DOMAIN whole AS int CHECK (value > 0)');
my $number = 0;
my $all = 'SELECT string_agg(a || $$/$$ || b || value, $$ $$ ORDER BY a, b) FROM key_test';
for my $case (@accepted)
{
	my ($name, $table, $key) = @$case;
	my @arguments = (target => "'key_test'", defined $key ? (key_columns => "'{$key}'") : ());
	my $changed = "SELECT a, b, CASE WHEN b = 2 THEN 'new' ELSE value END AS value FROM two";
	is(results('CREATE SCHEMA key_' . ++$number, "SET search_path = key_$number, public",
			"CREATE TABLE key_test $table", upsert_sql('SELECT * FROM two', @arguments), upsert_sql($changed, @arguments),
			upsert_sql($changed, @arguments), skip_sql('SELECT * FROM two', @arguments), $all),
		'3 1 0 0 1/1x 1/2new 2/1z', "key: $name");
}

# Rows are compared by the target's types: what is one key there is one row, and the last of the source's order stays.
my @same_key = (
	[ 'text into citext', 'text', q['a'], q['A'], 'citext', 'A' ],
	[ 'digits that numeric(10,2) rounds away', 'numeric', '1.001', '1.002', 'numeric(10,2)', '1.00' ],
	[ 'seconds that timestamp(0) rounds away', 'timestamp', q['2018-07-29 10:00:00.1'], q['2018-07-29 10:00:00.2'],
		'timestamp(0)', '2018-07-29 10:00:00' ],
	[ 'trailing spaces of char(3)', 'text', q['a'], q['a '], 'char(3)', 'a  ' ],
	[ 'timestamps of one date', 'timestamp', q['2018-07-29 10:00'], q['2018-07-29 11:00'], 'date', '2018-07-29' ],
	[ 'a collation that ignores case', 'text', q['a'], q['A'], 'text COLLATE ignores_case', 'A' ],
	[ 'zeros of numeric', 'numeric', '1.0', '1.00', 'numeric', '1.00' ],
	[ 'spellings of an enum', 'mood', q['sad'], q['sad'], 'mood', 'sad' ]);
my $mood = q[CREATE TYPE mood AS ENUM ('sad', 'happy')];
$source->safe_psql('postgres', $mood);
$destination->safe_psql('postgres', <<"SQL");
	CREATE EXTENSION citext;
	$mood;
	CREATE COLLATION ignores_case (provider = icu, locale = 'und-u-ks-level2', deterministic = false);
SQL
for my $case (@same_key)
{
	my ($name, $source_type, $first, $second, $target_type, $stored) = @$case;
	my $query = "SELECT k::$source_type, v FROM (VALUES ($first, 1), ($second, 2)) AS r (k, v)";
	for my $batch (1, 2)
	{
		my $written = 3 - $batch;
		my ($schema) = 'same_' . ++$number;
		is(results("CREATE SCHEMA $schema", "CREATE TABLE $schema.t (k $target_type PRIMARY KEY, v int)",
				upsert_sql($query, target => "'$schema.t'", batch => $batch),
				"SELECT '[' || string_agg(v::text, ',') || ']', count(*) FROM $schema.t"),
			"$written [2]|1", "same key: $name, batch $batch");
	}
}
$destination->safe_psql('postgres', 'CREATE TABLE narrow (k varchar(3) PRIMARY KEY, v int);
	CREATE TABLE number (k int PRIMARY KEY, v int)');
for my $mode (qw(append skip upsert))
{
	my @mode = $mode eq 'append' ? () : (mode => "'$mode'");
	fails_with($destination, copy_sql(q[SELECT 'abcdef' AS k, 1 AS v], undef, target => "'narrow'", @mode), '22001',
		qr/value too long/, "a key that is too long is not cut, $mode");
	fails_with($destination, copy_sql(q[SELECT '1'::text AS k, 1 AS v], undef, target => "'number'", @mode), '42804',
		qr/column "k" is of type integer but expression is of type text/, "a key without assignment cast, $mode");
}

# NULL in a key conflicts with nothing, unless the index says so: such a row would be there once more after each run.
$source->safe_psql('postgres', "CREATE TABLE nullable (seq int, a int, b int, value text);
	INSERT INTO nullable VALUES (1, 1, NULL, 'x'), (2, 1, NULL, 'y'), (3, NULL, NULL, 'p'), (4, NULL, NULL, 'q'),
	  (5, 1, 1, 'm'), (6, 1, 1, 'n')");
my @null_key = ('SELECT a, b, value FROM nullable ORDER BY seq', undef, target => "'null_key'", key_columns => "'{a,b}'");
my $null_key = 'CREATE TABLE null_key (a int, b int, value text, UNIQUE %s (a, b))';
my $null_rows = "SELECT string_agg(coalesce(a::text, '?') || '/' || coalesce(b::text, '?') || value, ' '
	ORDER BY a NULLS FIRST, b NULLS FIRST, value) FROM null_key";
for my $case ([ 'upsert', '3 ?/?q 1/?y 1/1n' ], [ 'skip', '3 ?/?p 1/?x 1/1m' ])
{
	my ($mode, $stored) = @$case;
	my $copy = copy_sql(@null_key, mode => "'$mode'");
	is(results(sprintf($null_key, 'NULLS NOT DISTINCT'), $copy, $null_rows, $copy, 'SELECT count(*) FROM null_key', 'DROP TABLE null_key'),
		"$stored 0 3", "$mode: NULLS NOT DISTINCT");
	for my $batch (1, 2, 2000)
	{
		$destination->safe_psql('postgres', sprintf($null_key, ''));
		my $said = fails_with($destination, copy_sql(@null_key, mode => "'$mode'", batch => $batch), '23502',
			qr/null value in a key column of public\.null_key/, "$mode, batch $batch: NULL in the key");
		like($said, qr/DETAIL:  .*key \("a", "b"\).*HINT:  .*NULLS NOT DISTINCT/s, "$mode, batch $batch: NULL in the key: detail and hint");
		my @reject = (mode => "'$mode'", batch => $batch, on_error => "'reject'");
		is(results('DELETE FROM pgci_rejects', (copy_sql(@null_key, @reject)) x 2, $null_rows, "SELECT count(*), min(sqlstate) FROM copy_incremental_rejects") =~ s/^\d \d //r,
			($mode eq 'skip' ? '1/1m' : '1/1n') . ' 8|23502', "$mode, batch $batch: NULL in the key: rejected");
		$destination->safe_psql('postgres', 'DROP TABLE null_key');
	}
}
is(results(sprintf($null_key, ''), 'ALTER TABLE null_key ALTER a SET NOT NULL, ALTER b SET NOT NULL',
		upsert_sql('SELECT a, b, value FROM nullable WHERE seq > 4 ORDER BY seq', @null_key[ 2 .. $#null_key ]), $null_rows, 'DROP TABLE null_key'),
	'1 1/1n', 'upsert: a key that has no NULL');

# Names that need quotes, names that our own SQL uses, and tables of nothing but a key.
my $odd = '("Key ""1""" int, "select" int, ordinal int, batch int, present int, excluded int, value text,
	PRIMARY KEY ("Key ""1""", ordinal))';
$source->safe_psql('postgres', qq[CREATE TABLE "Odd ""Name""" $odd;
	INSERT INTO "Odd ""Name""" VALUES (1, 2, 3, 4, 5, 6, 'v'), (1, 2, 4, 4, 5, 6, 'w')]);
my $quoted = upsert_sql('TABLE "Odd ""Name"""');
is(results(qq[CREATE TABLE "Odd ""Name""" $odd], $quoted, q[UPDATE "Odd ""Name""" SET excluded = 0 WHERE ordinal = 4],
		$quoted, 'SELECT sum(excluded) FROM "Odd ""Name"""'), '2 1 12', 'upsert: names that need quotes');
is(results('CREATE TABLE pair (a int, b int, PRIMARY KEY (a, b))', 'INSERT INTO pair VALUES (1, 1)',
		upsert_sql('SELECT a, b FROM two', target => "'pair'"), skip_sql('SELECT a, b FROM two', target => "'pair'"),
		'SELECT count(*) FROM pair'), '2 0 3', 'upsert: a table with only key columns');

# Which rows differ: an UPDATE trigger counts, and a row that is equal keeps its xmin.
$source->safe_psql('postgres', "CREATE TABLE fact (id int PRIMARY KEY, n numeric, c text, j json, t text);
	INSERT INTO fact SELECT g, 1.0, 'a', '{\"a\": 1}', NULL FROM generate_series(1, 10) AS g");
$destination->safe_psql('postgres', <<'SQL');
	CREATE TABLE fact (id int PRIMARY KEY, n numeric, c citext, j json, t text);
	CREATE TABLE seen (id int);
	CREATE FUNCTION see() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN INSERT INTO seen VALUES (NEW.id); RETURN NEW; END';
	CREATE TRIGGER see BEFORE UPDATE ON fact FOR EACH ROW WHEN (OLD.* IS DISTINCT FROM NEW.* OR true)
	  EXECUTE FUNCTION see();
SQL
is(results(upsert_sql('TABLE fact')), '10', 'upsert: ten rows are new');
for my $case ([ 'nothing', '', '' ],
	[ 'numeric 1.0 to 1.00', 'n = 1.00', '1' ], [ 'the case of a citext', "c = 'A'", '2' ],
	[ 'spaces of a json', q[j = '{"a":1}'], '3' ], [ 'NULL to a value', "t = 'v'", '4' ],
	[ 'a value to NULL', 'n = NULL', '5' ], [ 'every column', "n = 2, c = 'b', j = '[]', t = ''", '6' ],
	[ 'what is equal', 'n = 1.0', '7' ])
{
	my ($name, $set, $id) = @$case;
	my $expected = $name eq 'what is equal' ? '' : $id;
	my $written = $expected eq '' ? 0 : 1;
	$source->safe_psql('postgres', "UPDATE fact SET $set WHERE id = $id") if $set;
	is(results('TRUNCATE seen', 'CREATE TEMP TABLE before AS SELECT id, xmin AS x FROM fact',
			upsert_sql('TABLE fact', batch => 3), "SELECT '[' || coalesce(string_agg(id::text, ','), '') || ']' FROM seen",
			'SELECT count(*) FROM fact JOIN before USING (id) WHERE fact.xmin <> x'),
		"$written [$expected] $written", "upsert: an update of $name");
}
$source->safe_psql('postgres', "UPDATE fact SET t = 'x' WHERE id > 8");
is(results('SET client_min_messages = error', upsert_sql('SELECT id, t FROM fact', target => "'fact'"), q[SELECT count(*) FROM fact WHERE c = 'a' AND t = 'x']),
	'2 2', 'upsert: columns that the query lacks stay');

# Identity and generated columns.
$source->safe_psql('postgres', "CREATE TABLE identity (id int, code text, price int, total int);
	INSERT INTO identity VALUES (7, 'a', 1, 0), (9, 'b', 2, 0)");
my $identity = '(id int GENERATED ALWAYS AS IDENTITY %s, code text %s, price int,
	total int GENERATED ALWAYS AS (price * 2) STORED)';
$destination->safe_psql('postgres', sprintf("CREATE TABLE identity $identity", 'PRIMARY KEY', '') . ';'
	  . sprintf("CREATE TABLE identity_code $identity", '', 'UNIQUE'));
is(results(upsert_sql('TABLE identity'), 'UPDATE identity SET price = 5 WHERE id = 7', upsert_sql('TABLE identity'),
		'SELECT id, total FROM identity ORDER BY id'), '2 1 7|2 9|4',
	'upsert: an identity column as key takes the source\'s value, a generated one is computed');
fails_with($destination, upsert_sql('TABLE identity', target => "'identity_code'", key_columns => "'{code}'"), '428C9',
	qr/column "id" can only be updated to DEFAULT/, 'upsert: an identity column beside the key cannot be updated');
my $without = upsert_sql('SELECT code, price FROM identity', target => "'identity_code'", key_columns => "'{code}'");
is(results($without, 'UPDATE identity_code SET price = 5', $without, 'SELECT id, code, total FROM identity_code'),
	'2 2 1|a|2 2|b|4', 'upsert: an identity column that the query leaves out keeps its value');

# A name in front of pg_catalog changes nothing.
is(results(<<'SQL', upsert_sql('TABLE two', target => "'public.hostile'", key_columns => "'{a,b}'"),
	CREATE TABLE hostile (a int, b int, value text, UNIQUE (a, b)); INSERT INTO hostile VALUES (1, 1, 'old');
	CREATE SCHEMA evil;
	CREATE TYPE evil.record AS (a int);
	CREATE FUNCTION evil.equal(record, record) RETURNS boolean LANGUAGE internal AS 'record_image_eq';
	CREATE OPERATOR evil.*<> (LEFTARG = record, RIGHTARG = record, FUNCTION = evil.equal);
	CREATE FUNCTION evil.count() RETURNS bigint LANGUAGE sql AS 'SELECT 1/0';
	CREATE TYPE evil.int4 AS ENUM ('x'); CREATE TYPE evil.text AS ENUM ('x');
	SET search_path = evil, pg_catalog, public
SQL
		'RESET search_path', 'SELECT count(*) FROM hostile'), '3 3', 'upsert: a hostile search_path');

no_session_left($source, 'no session is left at the source');
done_testing();
