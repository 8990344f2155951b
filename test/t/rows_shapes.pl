# Tables of every shape: no rows, many columns, other columns here than there, large values; settings of both sessions.
use strict;
use warnings;

use TwoServers;
use Test::More;

my ($source, $destination) = start_servers(source => "log_statement = 'all'\n", destination => "log_temp_files = 0\n");

sub copied { return $destination->safe_psql('postgres', copy_sql(@_)) }

# Numbers of rows and columns.
on_both('CREATE TABLE narrow (id int); CREATE TABLE no_columns ()', $source, $destination);
is(copied('SELECT * FROM narrow', undef), 0, 'no rows');
$source->safe_psql('postgres', 'INSERT INTO narrow SELECT generate_series(1, 5000); INSERT INTO narrow VALUES (NULL)');
is(copied('SELECT * FROM narrow', undef, batch => 7), 5001, 'one column');
same_rows($source, $destination, 'narrow', 'one column');
fails_with($destination, copy_sql('SELECT * FROM no_columns', undef), '42804', qr/query template returns no columns/,
	'a table without columns');

my $wide = join ', ', map { "c$_ int" } 1 .. 1600;
on_both("CREATE TABLE wide ($wide); CREATE TABLE \"wide by name\" (" . join(', ', map { "c$_ int" } reverse 1 .. 1600) . ')',
	$source, $destination);
$source->safe_psql('postgres', 'INSERT INTO wide VALUES (' . join(', ', 1 .. 1600) . '), ('
	  . join(', ', map { $_ % 3 ? -$_ : 'NULL' } 1 .. 1600) . '), (' . join(', ', ('NULL') x 1600) . ')');
my $checksum = 'SELECT md5(string_agg(w::text, $$ $$ ORDER BY c1)) FROM wide AS w';
is(copied('SELECT * FROM wide', undef, batch => 2), 3, '1,600 columns');
is($destination->safe_psql('postgres', $checksum), $source->safe_psql('postgres', $checksum), '1,600 columns: same rows');
is(copied('SELECT * FROM wide', undef, target => q('"wide by name"')), 3, '1,600 columns in the reverse order');
$destination->safe_psql('postgres', 'TRUNCATE wide; INSERT INTO wide SELECT ' . join(', ', map { "c$_" } 1 .. 1600)
	  . ' FROM "wide by name"');
is($destination->safe_psql('postgres', $checksum), $source->safe_psql('postgres', $checksum),
	'1,600 columns in the reverse order: same rows');

# Other columns here than there.
$source->safe_psql('postgres', <<~'SQL');
	CREATE TABLE shape (gone text, id int, label text, gone_too int, at date, double_id int GENERATED ALWAYS AS (id * 2) STORED);
	INSERT INTO shape VALUES ('x', 1, 'one', 7, '2018-07-29'), ('y', 2, NULL, 8, NULL);
	ALTER TABLE shape DROP COLUMN gone, DROP COLUMN gone_too;
	CREATE TABLE plain (id int, double_id int);
	INSERT INTO plain VALUES (1, 99);
	SQL
$destination->safe_psql('postgres', <<~'SQL');
	CREATE TABLE shape (at date, number bigint GENERATED ALWAYS AS IDENTITY, old1 int NOT NULL, double_id int, label text,
	  old2 text, loaded text NOT NULL DEFAULT 'now', id int, length int GENERATED ALWAYS AS (length(label)) STORED, empty int);
	ALTER TABLE shape DROP COLUMN old1, DROP COLUMN old2;
	CREATE TABLE plain (id int, double_id int GENERATED ALWAYS AS (id * 2) STORED);
	CREATE TABLE always (id int GENERATED ALWAYS AS IDENTITY, label text);
	CREATE TABLE strict (id int, label text, at date, double_id int, required int NOT NULL);
	SQL
is(copied('SELECT * FROM shape', undef), 2, 'dropped columns on both sides, in another order');
is($destination->safe_psql('postgres', 'SELECT id, label, at, double_id, number, loaded, length, empty FROM shape ORDER BY id'),
	"1|one|2018-07-29|2|1|now|3|\n2|||4|2|now||",
	'a generated column of the source is copied; defaults, identity and generated columns here are filled');
is(copied('SELECT * FROM plain', undef) . $destination->safe_psql('postgres', 'TABLE plain'), '11|2',
	'a generated column here is left out, and computed');
is(copied('SELECT id, label FROM shape', undef, target => "'always'")
	  . $destination->safe_psql('postgres', 'SELECT min(id), max(id) FROM always'), '21|2', 'identity ALWAYS takes the value');
fails_with($destination, copy_sql('SELECT id, at AS day FROM shape', undef), '42804',
	qr/source column "day" does not exist in target public.shape/, 'a source column that the target lacks');
fails_with($destination, copy_sql('SELECT * FROM shape', undef, target => "'strict'"), '23502',
	qr/null value in column "required"/, 'a required column that the source lacks');
fails_with($destination, copy_sql('SELECT id, label AS id FROM shape', undef), '42701', qr/column "id" more than once/,
	'two source columns of one name');
fails_with($destination, copy_sql('SELECT double_id FROM plain', undef), '42804', qr/no column that can be written/,
	'nothing but columns that are generated here');

# Large values.
on_both('CREATE UNLOGGED TABLE large (id int, t text, b bytea, j jsonb)', $source, $destination);
on_both('ALTER TABLE large ALTER t SET STORAGE EXTERNAL, ALTER b SET STORAGE EXTERNAL', $source, $destination);
$source->safe_psql('postgres', <<~'SQL');
	INSERT INTO large (id, t) SELECT 1, repeat('é123456789abcdef', 6250000);
	INSERT INTO large (id, b) SELECT 2, decode(repeat('00ff5c27220a0d80', 12500000), 'hex');
	INSERT INTO large (id, j) SELECT 3, to_jsonb(array_fill(repeat('é"', 500000), ARRAY[10]));
	CREATE TABLE mixed (id int, t text);
	INSERT INTO mixed SELECT n, repeat(chr(97 + n % 26), (10 ^ (n / 50.0))::int) FROM generate_series(0, 300) AS n;
	SQL
my $large = 'SELECT id, length(t), md5(t), length(b), md5(b), md5(j::text) FROM large ORDER BY id';
is(copied('SELECT * FROM large ORDER BY id', undef, batch => 1), 3, 'values of 100 MB');
is($destination->safe_psql('postgres', $large), $source->safe_psql('postgres', $large), 'values of 100 MB: same values');
$destination->safe_psql('postgres', 'CREATE TABLE mixed (id int, t text)');
is(copied('SELECT * FROM mixed', undef, batch => 50), 301, 'values of 1 byte to 1 MB');
my $mixed = 'SELECT sum(length(t)), md5(string_agg(md5(t), $$$$ ORDER BY id)) FROM mixed';
is($destination->safe_psql('postgres', $mixed), $source->safe_psql('postgres', $mixed), 'values of 1 byte to 1 MB: same values');

$destination->safe_psql('postgres', 'TRUNCATE mixed');
is(copied('SELECT n AS id, repeat(chr(97 + n), 1000000) AS t FROM generate_series(0, 24) AS n', undef, target => "'mixed'"),
	25, 'a batch of 25 MB');
is($destination->safe_psql('postgres', 'SELECT sum(length(t)), count(DISTINCT t) FROM mixed'), '25000000|25',
	'a batch of 25 MB: same values');
is($destination->safe_psql('postgres', 'SELECT batches, bytes FROM copy_incremental_runs ORDER BY run_id DESC LIMIT 1'),
	'2|25000100', 'a batch of 25 MB is written in two, because of max_batch_bytes');

# Settings of both sessions, of all that change how values look.
on_both(<<~'SQL', $source, $destination);
	CREATE TYPE line_item AS (at date, took interval, price numeric, ratio float8, raw bytea, markup xml, "when" timestamptz);
	CREATE TABLE looks (id int, at date, stamp timestamptz, took interval, ratio float8, real real, raw bytea, markup xml,
	  markups xml[], item line_item, items line_item[], spans tstzrange, bits bit(4));
	SQL
$source->safe_psql('postgres', <<~'SQL');
	INSERT INTO looks
	  SELECT 1, v.at, v.stamp, v.took, v.ratio, v.ratio, v.raw, v.markup, ARRAY[v.markup, NULL], i, ARRAY[i, NULL],
	    tstzrange(v.stamp, 'infinity'), '0101'
	  FROM (SELECT date '2013-02-01' AS at, timestamptz '2013-02-01 03:04:05.678901+02' AS stamp,
	      interval '-1 year 2 days -03:04:05.6' AS took, 0.1::float8 + 0.2 AS ratio, '\x00ff5c27'::bytea AS raw,
	      xmlparse(CONTENT 'text<a/><b/>') AS markup) AS v,
	    LATERAL (SELECT v.at, v.took, 1.10, v.ratio, v.raw, v.markup, v.stamp) AS r,
	    LATERAL (SELECT r::line_item AS i) AS rows;
	INSERT INTO looks (id, markup) VALUES (2, xmlparse(DOCUMENT '<!DOCTYPE a><a/>'));
	CREATE SCHEMA elsewhere;
	CREATE TABLE elsewhere.hidden (id int, at date);
	INSERT INTO elsewhere.hidden VALUES (1, '2013-02-01');
	SQL
my $role = join '; ', map { "ALTER ROLE etl_reader SET $_" } q(DateStyle = 'German'), q(IntervalStyle = 'iso_8601'),
  q(extra_float_digits = -15), q(bytea_output = 'escape'), q(xmloption = 'document'), q(TimeZone = 'Asia/Tokyo'),
  q(search_path = 'elsewhere', 'public'), q(client_encoding = 'LATIN1'), q(standard_conforming_strings = off),
  q(default_transaction_isolation = 'serializable'), q(quote_all_identifiers = on), q(statement_timeout = '1min');
$source->safe_psql('postgres', $role);
my %session = (DateStyle => 'SQL, DMY', IntervalStyle => 'sql_standard', extra_float_digits => '-15', bytea_output => 'escape',
	xmloption => 'document', TimeZone => 'America/New_York', array_nulls => 'off', client_encoding => 'LATIN1',
	standard_conforming_strings => 'off', escape_string_warning => 'off', search_path => 'public, pg_temp');
my $set = join '', map { "SET $_ = " . ($_ eq 'search_path' ? $session{$_} : "'$session{$_}'") . ';' } sort keys %session;
my $shown = join ' ', map { "SHOW $_;" } sort keys %session;
my $settings = join "\n", map { $session{$_} } sort keys %session;

my @zone = (time_zone => "'Europe/Berlin'");
for my $batch (1, 2000)
{
	is($destination->safe_psql('postgres', "TRUNCATE looks; $set" . copy_sql('SELECT * FROM looks', undef, batch => $batch, @zone) . "; $shown"),
		"2\n$settings", "batch $batch: the settings of the session are as they were");
	same_rows($source, $destination, 'looks', "batch $batch, under settings of every kind");
}
my ($status, $out, $err) = $destination->psql('postgres', "$set " . copy_sql(q(SELECT 1 / 0 AS id), undef, target => "'looks'", @zone)
	  . "; $shown", on_error_stop => 0);
like($err, qr/division by zero/, 'a run that fails');
is($out, $settings, 'a run that fails: the settings of the session are as they were');
($status, $out, $err) = $destination->psql('postgres', "$set " . copy_sql(q(SELECT 'x'::varchar::regclass::text AS markup), undef,
		target => "'looks'", @zone) . "; $shown", on_error_stop => 0);
is($out, $settings, 'a run whose source fails: the settings of the session are as they were');
$source->safe_psql('postgres', q(CREATE TYPE span AS ENUM ('1 day', 'bad')));
($status, $out, $err) = $destination->psql('postgres', "$set " . copy_sql(q(SELECT 'bad'::span AS took), undef,
		target => "'looks'", @zone) . "; $shown", on_error_stop => 0);
like($err, qr/invalid input syntax for type interval: "bad"/, 'a value that cannot be read');
is($out, $settings, 'a value that cannot be read: the settings of the session are as they were');

# What the user of the source has set is there for the query, but for what decides how values look.
$destination->safe_psql('postgres', 'CREATE TABLE hidden (id int, at date)');
is(copied('SELECT * FROM hidden', undef), 1, q(the source's search_path is that of its user));
is(copied(q(SELECT * FROM hidden WHERE at = '01.02.2013'), undef), 1, q(the order of day and month is that of the source's user));

# A backslash in the query is one for the source, whatever this session makes of it.
is($destination->safe_psql('postgres', q(SET standard_conforming_strings = off; )
		  . copy_sql(q(SELECT id FROM hidden WHERE '\\' <> '{}' AND '\\' <> ''), '2018-07-29')), 1,
	'a query with a backslash, standard_conforming_strings off here');

no_session_left($source, 'no session is left at the source');
done_testing();
