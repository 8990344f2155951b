# Enums, domains, composites, ranges and the types of extensions, whose OIDs differ between the servers.
use strict;
use warnings;

use TwoServers;
use Test::More;

my ($source, $destination) = start_servers(source => "log_statement = 'all'\n");

$source->safe_psql('postgres', q(DO $$BEGIN FOR i IN 1 .. 500 LOOP EXECUTE format('CREATE DOMAIN d%s AS int', i); END LOOP; END$$));
on_both(<<~'SQL', $source, $destination);
	CREATE EXTENSION citext; CREATE EXTENSION hstore; CREATE EXTENSION ltree; CREATE EXTENSION seg; CREATE EXTENSION isn;
	CREATE EXTENSION cube;
	CREATE TYPE mood AS ENUM ('', 'sad', 'so "so"', 'NULL', 'très bien', 'a,b(c)');
	CREATE DOMAIN positive AS int CHECK (VALUE > 0);
	CREATE DOMAIN small_positive AS positive CHECK (VALUE < 100);
	CREATE DOMAIN code AS varchar(4) CHECK (VALUE ~ '^[A-Z]*$');
	CREATE DOMAIN known_mood AS mood CHECK (VALUE <> '');
	CREATE DOMAIN numbers AS int[] CHECK (cardinality(VALUE) < 4);
	CREATE TYPE inner_row AS (at timestamptz, took interval, mood mood, raw bytea, paid money, ratio float8, day date);
	CREATE TYPE outer_row AS (name text, "one ""row""" inner_row, rows inner_row[], level positive);
	CREATE DOMAIN checked_row AS inner_row CHECK ((VALUE).took >= '0');
	CREATE TYPE mood_range AS RANGE (SUBTYPE = mood, MULTIRANGE_TYPE_NAME = mood_multirange);
	CREATE TYPE text_range AS RANGE (SUBTYPE = text, COLLATION = "C", MULTIRANGE_TYPE_NAME = text_multirange);
	SQL

my $inner = q{ROW('2018-07-29 12:00+02', '-1 day 2:03:04', 'a,b(c)', '\x00ff5c', '-1.23', 0.1, '0044-03-15 BC')::inner_row};
my $nulls = q{ROW(NULL, NULL, NULL, NULL, NULL, NULL, NULL)::inner_row};

# Expressions of each type; NULL is added to all.
my %values = (
	'mood' => [ map { "'$_'" } '', 'sad', 'so "so"', 'NULL', 'très bien', 'a,b(c)' ],
	'mood[]' => [ q{'{}'}, q{ARRAY['', NULL, 'NULL', 'a,b(c)', 'so "so"']::mood[]}, q{'[3:4][-1:0]={{sad,NULL},{"","NULL"}}'} ],
	'positive' => [ 1, 2147483647 ],
	'positive[]' => [ q{'{}'}, q{'{1,NULL,2}'}, q{'[0:1]={1,2}'} ],
	'small_positive' => [ 1, 99 ],
	'code' => [ q{''}, q{'ABCD'} ],
	'known_mood' => [ q{'sad'}, q{'NULL'} ],
	'known_mood[]' => [ q{'{sad,NULL,"NULL"}'} ],
	'numbers' => [ q{'{}'}, q{'{1,NULL,3}'}, q{'[5:6]={1,2}'} ],
	'inner_row' => [ $inner, $nulls ],
	'inner_row[]' => [ q{'{}'}, "ARRAY[$inner, NULL, $nulls]", "array_fill($inner, ARRAY[2, 1], ARRAY[0, 5])" ],
	'outer_row' => [ "ROW('a \"b\\', $inner, ARRAY[$inner, NULL, $nulls], 1)::outer_row", "ROW('', NULL, '{}', NULL)::outer_row" ],
	'checked_row' => [ "ROW(NULL, '0', NULL, NULL, NULL, 'NaN', 'infinity')::inner_row" ],
	'mood_range' => [ q{'empty'}, q{'(,)'}, q{'["","so \"so\""]'}, q{'(sad,"NULL")'} ],
	'mood_range[]' => [ q{ARRAY['empty', NULL, '("a,b(c)",)']::mood_range[]} ],
	'mood_multirange' => [ q{'{}'}, q{'{["",sad],["NULL",)}'} ],
	'text_range' => [ q{'["","é"]'}, q{'[a,)'} ],
	'text_multirange' => [ q{'{[a,b],["x y",)}'} ],
	'citext' => [ q{''}, q{'NULL'}, q{'Été "x"'} ],
	'citext[]' => [ q{'{}'}, q{ARRAY['', NULL, 'NULL', 'A,b']::citext[]} ],
	'hstore' => [ q{''}, q{'a=>1, "b c"=>NULL, "NULL"=>"NULL", é=>"\"\\\\"'} ],
	'ltree' => [ q{''}, q{'Top.Science.Astronomy'} ],
	'lquery' => [ q{'*.Sci@*.!Old|Bad{1,3}'} ],
	'seg' => [ q{'1.50 .. 2.0'}, q{'<1e10 .. '}, q{'~3.1415'} ],
	'seg[]' => [ q{'{1.50 .. 2.0, NULL}'} ],
	'isbn13' => [ q{'978-0-393-04002-9'} ],
	'cube' => [ q{'(0.1, 2), (1e-300, -5)'} ],
	'information_schema.yes_or_no' => [ q{'YES'} ],
	'pg_am' => [ q{ROW(1, 'heap "x"', 'now', 't')::pg_am} ]);

is($source->safe_psql('postgres', q(SELECT typreceive FROM pg_type WHERE typname = 'seg')), '-', 'seg has no binary form');

my @columns = sort keys %values;
on_both('CREATE TABLE custom (id int, ' . join(', ', map { "\"$_\" $_" } @columns) . ')', $source, $destination);
for my $row (0 .. 6)
{
	my @row = map { defined $values{$_}[$row] ? "$values{$_}[$row]" : 'NULL' } @columns;
	$source->safe_psql('postgres', sprintf('INSERT INTO custom VALUES (%d, %s)', $row, join(', ', @row)));
}
my $oids = q(SELECT atttypid FROM pg_attribute WHERE attrelid = 'custom'::regclass AND atttypid >= 16384 ORDER BY attname);
my @oids = map { [ split /\n/, $_->safe_psql('postgres', $oids) ] } $source, $destination;
is(scalar(grep { $oids[0][$_] == $oids[1][$_] } 0 .. $#{ $oids[0] }), 0, 'each type has another OID here');

is($destination->safe_psql('postgres', copy_sql('SELECT * FROM custom', undef)), 7, 'rows copied');
same_rows($source, $destination, 'custom', 'arrives as it was');

my %binary = map { $_ => 1 } qw(positive small_positive code numbers information_schema.yes_or_no);
is(join(', ', columns_as_text($source)), join(', ', sort grep { !$binary{$_} } @columns),
	'only domains over built-in types travel in binary');

# Settings of the session that change how text is read.
$destination->safe_psql('postgres', 'TRUNCATE custom');
$destination->safe_psql('postgres', q(SET array_nulls = off; SET DateStyle = 'SQL, DMY'; SET IntervalStyle = 'sql_standard';)
	  . copy_sql('SELECT * FROM custom', undef, batch => 1));
same_rows($source, $destination, 'custom', 'arrives as it was whatever the session has set');

# Rows that the types here refuse.
on_both(<<~'SQL', $source, $destination);
	CREATE TABLE moods (mood mood); CREATE TABLE levels (level int); CREATE TABLE labels (label text);
	SQL
$source->safe_psql('postgres', <<~'SQL');
	ALTER TYPE mood ADD VALUE 'only at the source';
	INSERT INTO moods VALUES ('sad'), ('only at the source');
	INSERT INTO levels VALUES (1), (-1);
	SQL
$source->safe_psql('postgres', 'INSERT INTO labels VALUES ($$A$$), (NULL)');
$destination->safe_psql('postgres', <<~'SQL');
	CREATE DOMAIN required AS text NOT NULL; CREATE DOMAIN required_mood AS mood NOT NULL;
	CREATE TABLE positive_levels (level positive); CREATE TABLE required_labels (label required);
	CREATE TABLE required_moods (mood required_mood); CREATE TABLE known_moods (mood known_mood);
	SQL
my $error = fails_with($destination, copy_sql('SELECT * FROM moods', undef), '22P02',
	qr/invalid input value for enum mood: "only at the source"/, 'a label that the enum here lacks');
like($error, qr/column "mood" of row 2 of the source/, 'the message names column and row');
fails_with($destination, copy_sql('SELECT * FROM levels', undef, target => "'positive_levels'"), '23514',
	qr/value for domain positive violates check constraint "positive_check"/, 'a domain over a built-in type checks');
fails_with($destination, copy_sql('SELECT * FROM labels', undef, target => "'required_labels'"), '23502',
	qr/domain required does not allow null values/, 'a NOT NULL domain over a built-in type checks');
fails_with($destination, copy_sql('SELECT NULL::mood AS mood', undef, target => "'required_moods'"), '23502',
	qr/domain required_mood does not allow null values/, 'a NOT NULL domain over an enum checks');
fails_with($destination, copy_sql(q(SELECT ''::mood AS mood), undef, target => "'known_moods'"), '23514',
	qr/value for domain known_mood violates check constraint/, 'a domain over an enum checks');
is($destination->safe_psql('postgres', 'SELECT (SELECT count(*) FROM moods) + (SELECT count(*) FROM positive_levels)'), 0,
	'of a refused window nothing is stored');

# A check of a domain sees the session's own settings, and its messages reach the client in its encoding.
$destination->safe_psql('postgres', <<~'SQL');
	CREATE FUNCTION speaks(mood) RETURNS boolean LANGUAGE plpgsql AS
	  $$BEGIN RAISE NOTICE 'é % %', $1, current_setting('DateStyle'); RETURN true; END$$;
	CREATE DOMAIN spoken_mood AS mood CHECK (speaks(VALUE)); CREATE TABLE spoken_moods (mood spoken_mood);
	SQL
my ($status, $out, $err) = $destination->psql('postgres', "SET client_encoding = 'LATIN1'; SET DateStyle = 'German';"
	  . copy_sql(q(SELECT 'très bien'::mood AS mood), undef, target => "'spoken_moods'") =~ s/\xc3\xa8/\xe8/r);
is($status, 0, 'a domain whose check raises a notice');
like($err, qr/NOTICE:  \xe9 tr\xe8s bien German, DMY/, 'the notice is in the encoding of the client');

no_session_left($source, 'no session is left at the source');
done_testing();
