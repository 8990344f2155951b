# copy_incremental_verify(): the rows of both servers by checksums. PG_TEST_EXTRA=verify takes a million rows.
use strict;
use warnings;

use PostgreSQL::Test::Utils;
use TwoServers;
use Test::More;

my ($source, $destination) = start_servers(source => "log_statement = 'all'\n");
my $rows = ($ENV{PG_TEST_EXTRA} // '') =~ /\bverify\b/ ? 1_000_000 : 20_000;

sub verify
{
	return $destination->safe_psql('postgres', look_sql('verify', @_));
}

sub differing
{
	return join ' ', sort split /\n/, $destination->safe_psql('postgres', look_sql('verify_rows', @_));
}

# A narrow and a wide table, with and without a key. $damage at the target, what verify says then, and which rows.
my %columns = (
	narrow => 'id int PRIMARY KEY, at timestamptz, note text',
	wide => 'id int PRIMARY KEY, at timestamptz, note text, ' . join(', ', map { "n$_ int, t$_ text" } 1 .. 20));
for my $table (sort keys %columns)
{
	my $count = $table eq 'wide' ? $rows / 10 : $rows;
	on_both("CREATE TABLE $table ($columns{$table})", $source, $destination);
	my $values = $table eq 'wide' ? join '', map { ", g % $_, 'text ' || g" } 1 .. 20 : '';
	$source->safe_psql('postgres', "INSERT INTO $table SELECT g, timestamptz '2018-07-29 00:00+00' + g * interval '86 ms', "
		  . "'note ' || g$values FROM generate_series(1, $count) AS g; ");
	my @window = ("SELECT * FROM $table WHERE at >= \$1 AND at < \$2", '2018-07-29');
	$destination->safe_psql('postgres', "INSERT INTO $table (id, at) VALUES (0, '2018-07-28')");
	is($destination->safe_psql('postgres', copy_sql(@window)), $count, "$table: rows copied");
	my ($more, $less) = ($count + 1, $count - 1);
	is(verify(@window), "t|$count|$count|0|0|0", "$table: equal, and the row of another day does not count");
	is(differing(@window), '', "$table: equal, no row differs");
	is(verify(@window, key_columns => "'{note}'"), "t|$count|$count|0|0|0", "$table: equal by another key");

	for my $case (
		[ "UPDATE $table SET note = 'note 77x' WHERE id = 77", "f|$count|$count|0|0|1", 'changed|{"id": "77"}', 'one changed byte' ],
		[ "UPDATE $table SET note = '' WHERE id = 77", "f|$count|$count|0|0|1", 'changed|{"id": "77"}', 'an empty text' ],
		[ "UPDATE $table SET note = NULL WHERE id = 77", "f|$count|$count|0|0|1", 'changed|{"id": "77"}', 'NULL' ],
		[ "UPDATE $table SET at = at + interval '1 us' WHERE id = 77", "f|$count|$count|0|0|1", 'changed|{"id": "77"}', 'a microsecond' ],
		[ "DELETE FROM $table WHERE id = 5", "f|$count|$less|1|0|0", 'missing|{"id": "5"}', 'a missing row' ],
		[ "INSERT INTO $table (id, at) VALUES ($more, '2018-07-29 23:00')", "f|$count|$more|0|1|0", qq(extra|{"id": "$more"}), 'an extra row' ],
		[ "UPDATE $table SET note = CASE id WHEN 7 THEN 'note 8' ELSE 'note 7' END WHERE id IN (7, 8)", "f|$count|$count|0|0|2",
			'changed|{"id": "7"} changed|{"id": "8"}', 'two swapped values' ])
	{
		my ($damage, $said, $which, $name) = @$case;
		my @both = map { look_sql("$_", @window) } qw(verify verify_rows);
		my $found = $destination->safe_psql('postgres', "BEGIN; $damage; $both[0]; $both[1]; ROLLBACK");
		my ($first, @rest) = split /\n/, $found;
		is("$first " . join(' ', sort @rest), "$said $which", "$table: $name");
	}
}

# What is equal to its type, but not the same: digits, units of an interval, letters to a collation, zeros, spaces.
my $same_letters = q[CREATE COLLATION same_letters (provider = icu, locale = 'und-u-ks-level2', deterministic = false)];
on_both("$same_letters; CREATE TABLE equals (id int PRIMARY KEY, n numeric, i interval, t text COLLATE same_letters, f float8, c char(5), "
	  . 'j jsonb, a numeric[], v varchar(9) COLLATE same_letters)', $source, $destination);
$source->safe_psql('postgres', q[INSERT INTO equals SELECT g, 1.0, '1 mon', 'letters', 0, 'x', '{"a": 1.0}', '{1.0}', 'v' FROM generate_series(1, 20) AS g]);
my @equals = ('SELECT * FROM equals', undef);
$destination->safe_psql('postgres', copy_sql(@equals));
is(verify(@equals), 't|20|20|0|0|0', 'equal values: none differs');
for my $change ('n = 1.00', q[i = '30 days'], q[t = 'Letters'], q[f = '-0'], q[j = '{"a": 1.00}'], q[a = '{1.00}'], q[v = 'V'])
{
	is($destination->safe_psql('postgres', "BEGIN; UPDATE equals SET $change WHERE id = 7; " . look_sql('verify', @equals)),
		'f|20|20|0|0|1', "equal values: $change");
}
is($destination->safe_psql('postgres', "BEGIN; UPDATE equals SET c = 'x ' WHERE id = 7; " . look_sql('verify', @equals)),
	't|20|20|0|0|0', 'char(5) stores no spaces at the end');

# Hashes that do not fit into work_mem
$destination->safe_psql('postgres', "UPDATE narrow SET note = note || 'x'");
is($destination->safe_psql('postgres', "SET work_mem = '64kB'; " . look_sql('verify', 'SELECT * FROM narrow WHERE at >= $1 AND at < $2', '2018-07-29')),
	"f|$rows|$rows|0|0|$rows", 'hashes of rows in a temporary file');
$destination->safe_psql('postgres', "UPDATE narrow SET note = left(note, -1)");

# Parallel workers see what this transaction has written, and hash as their leader does.
my $parallel = 'SET LOCAL min_parallel_table_scan_size = 0; SET LOCAL parallel_setup_cost = 0; SET LOCAL parallel_tuple_cost = 0';
my $plan = $destination->safe_psql('postgres', "BEGIN; $parallel; EXPLAIN SELECT sum(hash_record_extended(n, 1)) FROM narrow AS n");
like($plan, qr/Workers Planned/, 'parallel: such a query has workers');
is($destination->safe_psql('postgres', "BEGIN; $parallel; " . look_sql('verify', 'SELECT * FROM narrow WHERE at >= $1 AND at < $2', '2018-07-29')),
	"t|$rows|$rows|0|0|0", 'parallel: equal');
is($destination->safe_psql('postgres', "BEGIN; $parallel; UPDATE narrow SET note = 'other' WHERE id = 7; "
	  . look_sql('verify', 'SELECT * FROM narrow WHERE at >= $1 AND at < $2', '2018-07-29')), "f|$rows|$rows|0|0|1",
	'parallel: a row that this transaction has changed');

# Many differences.
my @narrow = ('SELECT * FROM narrow', undef);
$destination->safe_psql('postgres', 'DELETE FROM narrow WHERE id % 2 = 0');
my $half = $rows / 2;
is(verify(@narrow), "f|$rows|$half|$half|0|0", 'half of the rows is missing');
$destination->safe_psql('postgres', 'TRUNCATE narrow');
is(verify(@narrow), "f|$rows|0|$rows|0|0", 'all rows are missing');
is(verify('SELECT * FROM narrow WHERE false', undef, target => q['narrow']), 't|0|0|0|0|0', 'no rows at all');

# Rows without a key, and rows that are there twice.
on_both('CREATE TABLE bare (a int, b text)', $source, $destination);
$source->safe_psql('postgres', q[INSERT INTO bare VALUES (1, 'x'), (1, 'x'), (2, NULL), (2, '')]);
my @bare = ('SELECT * FROM bare', undef);
$destination->safe_psql('postgres', copy_sql(@bare));
is(verify(@bare), 't|4|4|0|0|', 'without a key: equal');
$destination->safe_psql('postgres', q[DELETE FROM bare WHERE ctid = '(0,1)'; INSERT INTO bare VALUES (2, '')]);
is(verify(@bare), 'f|4|4|1|1|', 'without a key: one row too few, another one too many');
is(differing(@bare), 'extra|{"a": "2", "b": ""} missing|{"a": "1", "b": "x"}', 'without a key: the rows');
is(verify(@bare, key_columns => q['{a}']), 'f|4|4|1|1|0', 'by a key that is not unique');

# How the target's rows are found.
$source->safe_psql('postgres', 'CREATE TABLE prices (id int PRIMARY KEY, at timestamp, price numeric, code text)');
$destination->safe_psql('postgres', 'CREATE TABLE local_prices (id bigint PRIMARY KEY, at timestamptz, price numeric(10,2), code char(6), own text DEFAULT 1)');
$source->safe_psql('postgres', q[INSERT INTO prices SELECT g, timestamp '2018-07-29' + g * interval '1 hour', g / 7.0, 'c' || g FROM generate_series(0, 47) AS g]);
my @prices = ('SELECT id, at, price, code FROM prices WHERE at >= $1 AND at < $2', '2018-07-29', target => q['local_prices'],
	time_zone => q['America/New_York']);
$destination->safe_psql('postgres', copy_sql(@prices));
fails_with($destination, look_sql('verify', @prices), '0A000', qr/could not tell the window's rows.*Pass replace_where/s,
	'another table needs replace_where');
is(verify(@prices, replace_where => q['at >= $1 AND at < $2']), 't|24|24|0|0|0', 'equal after casts, in the zone of the run');
is($destination->safe_psql('postgres', "SET TimeZone = 'Asia/Tokyo'; SET DateStyle = 'German'; SET extra_float_digits = 0; "
	. look_sql('verify', @prices, replace_where => q['at >= $1 AND at < $2'])), 't|24|24|0|0|0',
	'the settings of the session do not matter');
$destination->safe_psql('postgres', 'UPDATE local_prices SET price = price + 0.01 WHERE id = 7');
is(verify(@prices, replace_where => q['at >= $1 AND at < $2']), 'f|24|24|0|0|1', 'a cent more');
$source->safe_psql('postgres', "UPDATE prices SET price = 1e30, code = 'much too long' WHERE id = 7");
is(verify(@prices, replace_where => q['at >= $1 AND at < $2']), 'f|24|24|0|0|1', 'a value that the target could not have taken');
$source->safe_psql('postgres', "UPDATE prices SET price = 1, code = 'c7' WHERE id = 7; UPDATE prices SET price = 1, code = 'c7    x' WHERE id = 7");
$destination->safe_psql('postgres', "UPDATE local_prices SET price = 1 WHERE id = 7");
is(verify(@prices, replace_where => q['at >= $1 AND at < $2']), 'f|24|24|0|0|1', 'a longer text is not cut to look equal');

# verify => true: the run itself.
$source->safe_psql('postgres', "UPDATE prices SET code = 'c7' WHERE id = 7");
my @checked = ('SELECT id, at, price, code FROM prices WHERE at >= $1 AND at < $2', '2018-07-29', target => q['local_prices'],
	time_zone => q['America/New_York'], replace_where => q['at >= $1 AND at < $2'], verify => 'true');
my ($count, $sum) = ('SELECT count(*), sum(price) FROM local_prices') x 2;
copies($destination, copy_sql(@checked, mode => q['replace']), 24, $count, $destination->safe_psql('postgres', $sum) =~ s/\|.*//r . '|' .
	  $source->safe_psql('postgres', q[SELECT sum(price::numeric(10,2)) FROM prices WHERE at >= '2018-07-29' AND at < '2018-07-30']),
	'verify: a run that matches');
$destination->safe_psql('postgres', "INSERT INTO local_prices SELECT 99, '2018-07-29 12:00-04', 0, 'x'");
my $before = $destination->safe_psql('postgres', $sum);
fails_with($destination, copy_sql(@checked, mode => q['upsert']), '22000', qr/rows of the window in public.local_prices are not those of the source.*24 rows, the target 25/s,
	'verify: a row that was there before');
copies($destination, copy_sql(@checked, mode => q['replace']), 24, 'SELECT count(*) FROM local_prices', 24, 'verify: replace renews the window');
$destination->safe_psql('postgres', <<~'SQL');
	CREATE FUNCTION spoil() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN IF NEW.id = 7 THEN NEW.price := 0; END IF; RETURN NEW; END $$;
	CREATE TRIGGER spoil BEFORE INSERT ON local_prices FOR EACH ROW EXECUTE FUNCTION spoil();
	SQL
$before = $destination->safe_psql('postgres', $sum);
fails_with($destination, copy_sql(@checked, mode => q['replace']), '22000', qr/24 with another checksum|with another checksum/, 'verify: a trigger that changes a row');
is($destination->safe_psql('postgres', $sum), $before, 'verify: nothing changed');
fails_with($destination, copy_sql(@checked, mode => q['replace'], transform => q['SELECT * FROM batch']), '22023', qr/verify cannot be used with transform/,
	'verify: not with a transform');
# Rows that come at the source between the two do not matter: both are read in one snapshot.
my $narrow_rows = $destination->safe_psql('postgres', 'TRUNCATE narrow; ' . copy_sql('SELECT * FROM narrow', undef, verify => 'true', batch => 100));
is($narrow_rows, $rows, 'verify: a whole table in batches');

# A database of another encoding.
my $port = $source->port;
$source->safe_psql('postgres', q[CREATE DATABASE latin ENCODING 'LATIN1' TEMPLATE template0 LOCALE 'C']);
$source->safe_psql('latin', q[CREATE TABLE words (id int PRIMARY KEY, word text); INSERT INTO words VALUES (1, 'é'), (2, 'ß')]);
$destination->safe_psql('postgres', qq[CREATE SERVER latin FOREIGN DATA WRAPPER postgres_fdw OPTIONS (host '127.0.0.1', port '$port', dbname 'latin');
	CREATE USER MAPPING FOR CURRENT_USER SERVER latin OPTIONS (user 'etl_reader', password '$TwoServers::password');
	CREATE TABLE words (id int PRIMARY KEY, word text)]);
my @words = ('SELECT * FROM words', undef, src_conninfo => "'latin'");
$destination->safe_psql('postgres', copy_sql(@words));
is(verify(@words), 't|2|2|0|0|0', 'a source of another encoding: equal');
$destination->safe_psql('postgres', q[UPDATE words SET word = 'è' WHERE id = 1]);
is(verify(@words), 'f|2|2|0|0|1', 'a source of another encoding: another letter');


# Texts mean the same whatever standard_conforming_strings is, in our own queries too.
my $strings = 'SET standard_conforming_strings = off; SET escape_string_warning = off; ';
on_both('CREATE TABLE slashes (id int PRIMARY KEY, "a\b" text)', $source, $destination);
$source->safe_psql('postgres', q[INSERT INTO slashes VALUES (1, '\\'), (2, '\\n'), (3, 'n')]);
$destination->safe_psql('postgres', q[INSERT INTO slashes VALUES (1, '\\'), (2, '\\N'), (3, 'n')]);
my @slashes = (q[SELECT * FROM slashes WHERE "a\b" LIKE '\\\\%' AND "a\b" <> E'\\'' AND id < 3], undef);
for my $session ('', $strings)
{
	for my $call (\@slashes, [ 'SELECT * FROM slashes', undef ])
	{
		my ($query, @rest) = @$call;
		my $name = ($session eq '' ? 'on' : 'off') . ", $query";
		my $rows = $query =~ /WHERE/ ? 2 : 3;
		is($destination->safe_psql('postgres', $session . look_sql('verify', $query, @rest)),
			"f|$rows|$rows|0|0|1", "standard_conforming_strings $name");
		is(join(' ', sort split /\n/, $destination->safe_psql('postgres', $session . look_sql('verify_rows', $query, @rest,
			key_columns => q[array[chr(97) || chr(92) || 'b']]))),
			qq(extra|{"a\\\\b": "\\\\N"} missing|{"a\\\\b": "\\\\n"}), "standard_conforming_strings $name: the rows");
	}
}

# As many columns as a table can have.
my $widest = join ', ', map { "c$_ text" } 1 .. 1600;
on_both("CREATE TABLE widest ($widest)", $source, $destination);
$source->safe_psql('postgres', 'INSERT INTO widest (c1, c800, c1600) VALUES (1, $$x$$, $$y$$), (2, NULL, $$z$$)');
my @widest = ('SELECT * FROM widest', undef);
is($destination->safe_psql('postgres', copy_sql(@widest, verify => 'true')), 2, '1,600 columns: verify => true');
is(verify(@widest), 't|2|2|0|0|', '1,600 columns: equal');
$destination->safe_psql('postgres', 'UPDATE widest SET c1599 = $$new$$ WHERE c1 = $$2$$');
is(verify(@widest), 'f|2|2|1|1|', '1,600 columns, without a key: one row differs');
my $nulls = sub { my %value = (1 => '"2"', 1600 => '"z"', @_); '{' . join(', ', map { qq("c$_": ) . ($value{$_} // 'null') } 1 .. 1600) . '}' };
is(differing(@widest), 'extra|' . $nulls->(1599 => '"new"') . ' missing|' . $nulls->(), '1,600 columns, without a key: the rows');
is(verify(@widest, key_columns => q['{c1}']), 'f|2|2|0|0|1', '1,600 columns, by a key: one row differs');
my @some = ('SELECT ' . join(', ', map { "c$_" } 1 .. 1200) . ' FROM widest', undef);
is(verify(@some), 't|2|2|0|0|', '1,200 columns: equal');
$destination->safe_psql('postgres', 'UPDATE widest SET c800 = $$new$$ WHERE c1 = $$2$$');
is(verify(@some), 'f|2|2|1|1|', '1,200 columns: one row differs');

# The target cuts off spaces beyond the length of its column.
on_both(q[CREATE TABLE short (id int PRIMARY KEY, v text)], $source, $destination);
$source->safe_psql('postgres', q[INSERT INTO short VALUES (1, 'abc  '), (2, 'ab '), (3, 'x'), (4, NULL)]);
$destination->safe_psql('postgres', 'ALTER TABLE short ALTER v TYPE varchar(3)');
my @short = ('SELECT * FROM short', undef);
is($destination->safe_psql('postgres', copy_sql(@short)), 4, 'text into varchar(3): copied');
is(verify(@short), 't|4|4|0|0|0', 'text into varchar(3): equal');
$source->safe_psql('postgres', q[UPDATE short SET v = 'abcd' WHERE id = 1]);
is(verify(@short), 'f|4|4|0|0|1', 'text into varchar(3): a longer text is a difference');

fails_with($destination, look_sql('verify', @bare, key_columns => q['{nothing}']), '42703', qr/key column "nothing"/, 'a key column that is not there');
$destination->safe_psql('postgres', 'ALTER TABLE bare ENABLE ROW LEVEL SECURITY; CREATE POLICY none ON bare USING (false); CREATE ROLE etl; '
	. 'GRANT SELECT ON bare TO etl; GRANT EXECUTE ON FUNCTION copy_incremental_verify TO etl; GRANT USAGE ON FOREIGN SERVER src TO etl; '
	. "CREATE USER MAPPING FOR etl SERVER src OPTIONS (user 'etl_reader', password '$TwoServers::password')");
fails_with($destination, look_sql('verify', @bare, owner => q['etl'::regrole], before => 'SET ROLE etl'), '42501', qr/row-level security/, 'rows that the caller may not see are an error');
# A key that the target computes is no key to compare by.
on_both('CREATE TABLE computed (id int, at timestamptz NOT NULL, v text, g int GENERATED ALWAYS AS (id * 2) STORED)', $source, $destination);
$source->safe_psql('postgres', "INSERT INTO computed SELECT g, '2018-07-29 12:00+00', 'v' FROM generate_series(1, 3) AS g");
for my $key ('g', 'g, at')
{
	$destination->safe_psql('postgres', "ALTER TABLE computed DROP CONSTRAINT IF EXISTS computed_pkey, ADD PRIMARY KEY ($key); TRUNCATE computed; INSERT INTO computed SELECT g, '2018-07-29 12:00+00', left('vw', g) FROM generate_series(1, 3) AS g");
	is($destination->safe_psql('postgres', look_sql('verify', 'SELECT * FROM computed', '2018-07-29', window_column => "'at'", time_zone => "'UTC'")), 'f|3|3|2|2|', "a generated key ($key): whole rows");
}

# What lookback loads again is verified by itself.
on_both('CREATE TABLE two_days (id int PRIMARY KEY, at timestamptz)', $source, $destination);
$source->safe_psql('postgres', q[INSERT INTO two_days SELECT g, timestamptz '2018-07-28 00:00+00' + g * interval '1 hour' FROM generate_series(0, 47) AS g]);
my %two_days = (window_column => "'at'", time_zone => "'UTC'", mode => "'replace'", lookback => 1);
$destination->safe_psql('postgres', job_sql('run', 'SELECT * FROM two_days', '2018-07-29', %two_days) . '; DELETE FROM two_days WHERE id = 0');
is($destination->safe_psql('postgres', look_sql('verify', 'SELECT * FROM two_days', '2018-07-29', %two_days)), 't|24|24|0|0|0', 'lookback: only the day');
is($destination->safe_psql('postgres', look_sql('verify_rows', 'SELECT * FROM two_days', '2018-07-29', %two_days)), '', 'lookback: only the rows of the day');
no_session_left($source, 'no session is left at the source');
done_testing();
