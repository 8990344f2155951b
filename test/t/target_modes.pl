# What each mode makes of a window: of every size, repeated, with one key twice, and of real data that has changed.
use strict;
use warnings;

use FindBin;
use TwoServers;
use Test::More;

my ($source, $destination) = start_servers(
	source => "timezone = 'America/New_York'\n",
	destination => "timezone = 'America/New_York'\n");
my @modes = qw(append skip upsert replace);

# The arguments of copy_sql() for a mode; $slice is replace_where, $option{key} key_columns.
sub arguments_of
{
	my ($mode, $slice, %option) = @_;
	return () if $mode eq 'append';
	my %argument = (mode => "'$mode'");
	$argument{replace_where} = "'$slice'" if $mode eq 'replace' && defined $slice;
	$argument{key_columns} = $option{key} if $option{key} && $mode ne 'replace';
	return %argument;
}

# Sizes: days of 0, 1, 5, 6 and 17 rows, in batches of 5.
my %rows_of = ('2018-07-01' => 0, '2018-07-02' => 1, '2018-07-03' => 5, '2018-07-04' => 6, '2018-07-05' => 17);
my $columns = '(id int PRIMARY KEY, day date NOT NULL, value text)';
$source->safe_psql('postgres', "CREATE TABLE item $columns;" . join ' ', map {
	"INSERT INTO item SELECT extract(day FROM day) * 100 + g, day, 'v' || g
	   FROM (SELECT date '$_' AS day) AS d, generate_series(1, $rows_of{$_}) AS g;"
} sort keys %rows_of);
$destination->safe_psql('postgres', "CREATE TABLE item $columns");
my $item_query = 'SELECT * FROM item WHERE day >= $1 AND day < $2';
my $item_checksum = 'SELECT count(*), sum(hashtextextended(i::text, 0)::numeric) FROM item AS i';

for my $mode (@modes)
{
	for my $day (sort keys %rows_of)
	{
		my $rows = $rows_of{$day};
		my $copy = copy_sql($item_query, $day, batch => 5, arguments_of($mode, 'day >= $1 AND day < $2'));
		# Rows of another day are nobody's business.
		my $other = "INSERT INTO item VALUES (1, '2018-07-09', 'other')";
		my $without_other = "$item_checksum WHERE id <> 1";
		my $repeat = $mode eq 'append' ? 'SELECT 0' : $copy;
		my $repeated = $mode eq 'replace' ? $rows : 0;
		my $expected = $source->safe_psql('postgres', "$item_checksum WHERE day = '$day'");
		is($destination->safe_psql('postgres',
				"TRUNCATE item; $other; $copy; $without_other; $repeat; $without_other;
				 SELECT value FROM item WHERE id = 1"),
			"$rows\n$expected\n$repeated\n$expected\nother", "$mode: a day of $rows rows in batches of 5, and again");
	}
}

# Target rows that the window no longer has, or has otherwise.
my $stale = "TRUNCATE item; INSERT INTO item VALUES (501, '2018-07-05', 'stale'), (599, '2018-07-05', 'gone')";
my $count = "SELECT count(*), count(*) FILTER (WHERE value = 'stale'), count(*) FILTER (WHERE value = 'gone') FROM item";
for my $case ([ skip => '16', '18|1|1' ], [ upsert => '17', '18|0|1' ], [ replace => '17', '17|0|0' ])
{
	my ($mode, $written, $result) = @$case;
	my $copy = copy_sql($item_query, '2018-07-05', batch => 5, arguments_of($mode, 'day >= $1 AND day < $2'));
	is($destination->safe_psql('postgres', "$stale; $copy; $count"), "$written\n$result",
		"$mode: rows that the target has and rows that the source has no more");
}
fails_with($destination, "$stale; " . copy_sql($item_query, '2018-07-05'), '23505', qr/item_pkey/,
	'append: a row that is there is an error');
is($destination->safe_psql('postgres', $count), '2|1|1', 'append: nothing is written then');

for my $mode (qw(Append insert), '')
{
	fails_with($destination, copy_sql($item_query, '2018-07-05', mode => "'$mode'"), '22023',
		qr/invalid value for argument "mode": "$mode"/, "mode \"$mode\" is refused");
}
fails_with($destination, copy_sql($item_query, '2018-07-05', @$_[ 0, 1 ]), '22023', qr/$$_[2]/, "refused: $$_[2]")
  for [ replace_where => "'true'", 'replace_where has no meaning in mode append' ],
  [ key_columns => "ARRAY['id']", 'key_columns has no meaning in mode append' ],
  [ mode => "'replace'", 'mode replace needs replace_where' ];
fails_with($destination, copy_sql($item_query, '2018-07-05', mode => "'skip'", on_rerun => "'skip'"), '22023',
	qr/on_rerun has no meaning in mode skip/, 'refused: on_rerun in mode skip');

# One key several times in the source's order: within a batch, over its border, and with others in between.
$source->safe_psql('postgres', <<'SQL');
	CREATE TABLE dup (seq int, id int, value text);
	INSERT INTO dup SELECT row_number() OVER (), id, 'v' || row_number() OVER ()
	  FROM unnest(ARRAY[1, 1, 2, 3, 2, 2, 4, 1, 5, 5, 5, 5, 6, 3, 7]) AS id;
SQL
$destination->safe_psql('postgres', 'CREATE TABLE dup (id int PRIMARY KEY, value text)');
for my $case ([ skip => '1v1,2v3,3v4,4v7,5v9,6v13,7v15', 'first' ],
	[ upsert => '1v8,2v6,3v14,4v7,5v12,6v13,7v15', 'last' ])
{
	my ($mode, $result, $which) = @$case;
	for my $batch (1, 2, 3, 1000)
	{
		my $copy = copy_sql('SELECT id, value FROM dup ORDER BY seq', undef, batch => $batch, mode => "'$mode'",
			target => "'dup'");
		is((split /\n/, $destination->safe_psql('postgres',
				"TRUNCATE dup; $copy; SELECT string_agg(id || value, ',' ORDER BY id) FROM dup"))[1],
			$result, "$mode: the $which row of a key wins, batch $batch");
	}
}
for my $mode (qw(append replace))
{
	fails_with($destination, 'TRUNCATE dup; ' . copy_sql('SELECT id, value FROM dup ORDER BY seq', undef,
			target => "'dup'", arguments_of($mode)), '23505', qr/dup_pkey/, "$mode: a key twice is an error");
}

# Flights of a day, changed at the source and copied again.
my $data = "$FindBin::RealBin/../data";
my $schema = PostgreSQL::Test::Utils::slurp_file("$data/schema.sql");
$source->safe_psql('postgres', $schema);
$source->safe_psql('postgres',
	"\\copy flights FROM PROGRAM 'zcat $data/flights.csv.gz' WITH (FORMAT csv, HEADER, NULL 'NA')");
$destination->safe_psql('postgres', $schema . <<'SQL');
	ALTER TABLE flights ADD PRIMARY KEY (time_hour, carrier, flight, origin);
	CREATE TABLE flights_replace (LIKE flights INCLUDING ALL);
	CREATE TABLE flights_upsert (LIKE flights INCLUDING ALL);
	CREATE TABLE flights_skip (LIKE flights INCLUDING ALL);
SQL
my $flights_query = 'SELECT * FROM flights WHERE time_hour >= $1 AND time_hour < $2';
my $flights_slice = 'time_hour >= $1 AND time_hour < $2';

sub copy_flights
{
	my ($mode, $day) = @_;
	return $destination->safe_psql('postgres', copy_sql($flights_query, $day, batch => 100,
			target => "'flights_$mode'", arguments_of($mode, $flights_slice)));
}

sub flights_checksum
{
	my ($node, $table, $where) = @_;
	return $node->safe_psql('postgres', "SELECT count(*), sum(hashtextextended(f::text, 0)::numeric)
		FROM $table AS f WHERE day IN (14, 15, 16) AND $where");
}

for my $mode (qw(replace upsert skip))
{
	is(join(',', map { copy_flights($mode, "2013-01-$_") } 14 .. 16), '928,894,901', "flights: three days, $mode");
	is(flights_checksum($destination, "flights_$mode", 'true'), flights_checksum($source, 'flights', 'true'),
		"flights: equal, $mode");
}
my $before = flights_checksum($source, 'flights', 'true');
$source->safe_psql('postgres', <<'SQL');
	CREATE TABLE flights_gone (LIKE flights);
	WITH gone AS (DELETE FROM flights WHERE day = 15 AND carrier IN ('AA', 'HA') RETURNING *)
	  INSERT INTO flights_gone SELECT * FROM gone;
	UPDATE flights SET dep_delay = coalesce(dep_delay, 0) + 1, tailnum = NULL WHERE day = 15 AND carrier = 'UA';
	INSERT INTO flights SELECT (jsonb_populate_record(f, jsonb_build_object('flight', 90000 + flight))).*
	  FROM flights AS f WHERE day = 15 AND carrier = 'DL';
	CREATE TABLE flights_and_gone AS TABLE flights;
	INSERT INTO flights_and_gone TABLE flights_gone;
SQL
my ($rows, $added, $updated) = split /\|/, $source->safe_psql('postgres', <<'SQL');
	SELECT count(*), count(*) FILTER (WHERE flight > 90000), count(*) FILTER (WHERE carrier = 'UA')
	  FROM flights WHERE day = 15
SQL
isnt(flights_checksum($source, 'flights', 'true'), $before, 'flights: the source has changed');
is(copy_flights('replace', '2013-01-15'), $rows, 'flights: replace writes the day again');
is(copy_flights('upsert', '2013-01-15'), $added + $updated, 'flights: upsert writes what is new and what differs');
is(copy_flights('skip', '2013-01-15'), $added, 'flights: skip writes what is new');
is(flights_checksum($destination, 'flights_replace', 'true'), flights_checksum($source, 'flights', 'true'),
	'flights: replace equals the source');
is(flights_checksum($destination, 'flights_upsert', 'true'), flights_checksum($source, 'flights_and_gone', 'true'),
	'flights: upsert equals the source and keeps what it deleted');
is(flights_checksum($destination, 'flights_skip', 'flight < 90000'), $before, 'flights: skip keeps the old rows');

no_session_left($source, 'no session is left at the source');
done_testing();
