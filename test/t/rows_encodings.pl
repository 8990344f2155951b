# Text outside of ASCII, in values, names and messages, between databases and clients of any encoding.
use strict;
use warnings;

use PostgreSQL::Test::Utils;
use TwoServers;
use Test::More;

# A client without a setting speaks the encoding of its database.
my ($source, $destination) = start_servers();
my $port = $source->port;
for my $encoding ('LATIN1', 'SQL_ASCII')
{
	on_both("CREATE DATABASE $encoding ENCODING '$encoding' TEMPLATE template0 LOCALE 'C'", $source, $destination);
	$destination->safe_psql('postgres', "CREATE SERVER $encoding FOREIGN DATA WRAPPER postgres_fdw "
		  . "OPTIONS (host '127.0.0.1', port '$port', dbname '" . lc($encoding) . "')");
	$destination->safe_psql('postgres', "CREATE USER MAPPING FOR CURRENT_USER SERVER $encoding "
		  . "OPTIONS (user 'etl_reader', password '$TwoServers::password')");
}
my $utf8_source = "host=127.0.0.1 port=$port dbname=postgres user=etl_reader password=$TwoServers::password";

# Names of tables, of their schema and column: both template styles write them delimited.
my @names = ('a;b', 'A', 'x"y', 'select', 'a.b', ' ', 'a\\b', '$1', '%s', "it's", '--', 'täble', '表', '🐘 emoji', 'n' x 63, 'é' x 31);
sub quoted { return '"' . $_[0] =~ s/"/""/gr . '"' }
my @tables = map { "$_.$_" } map { quoted($_) } @names;
on_both(join('', map { my $q = quoted($_); "CREATE SCHEMA $q; CREATE TABLE $q.$q ($q text);" } @names), $source, $destination);
$source->safe_psql('postgres', join '', map { "INSERT INTO $tables[$_] VALUES (\$\$$names[$_]\$\$);" } 0 .. $#names);
my @printed = split /\n/, $destination->safe_psql('postgres',
	join '', map { copy_sql("SELECT * FROM $_", undef) . "; TABLE $_;" } @tables);
is("$printed[2 * $_] $printed[2 * $_ + 1]", "1 $names[$_]", "a table, schema and column named \"$names[$_]\"") for 0 .. $#names;

# All kinds of text through a session whose client speaks another encoding.
on_both(<<~'SQL', $source, $destination);
	CREATE TYPE größe AS ENUM ('klein', 'größer');
	CREATE TABLE "übung" (id int PRIMARY KEY, "wört" text UNIQUE, label "größe", labels "größe"[], plain json, parsed jsonb,
	  path jsonpath, markup xml, words tsvector, query tsquery, list text[], "größe" varchar(10), letter char(3), n name);
	SQL
$source->safe_psql('postgres', <<~'SQL');
	INSERT INTO "übung" SELECT id, w, 'größer', '{größer,klein}', to_json(w), to_jsonb(w), '$."ä"', ('<a>' || w || '</a>')::xml,
	  array_to_tsvector(ARRAY[w]), quote_literal(w)::tsquery, ARRAY[w, NULL], w, left(w, 3), w
	  FROM (VALUES (1, 'é'), (2, 'カナ表'), (3, '🐘'), (4, 'ÿ\'), (5, '~¥‾')) AS v(id, w)
	SQL
# These names of ASCII can be written by every client.
$source->safe_psql('postgres', 'CREATE VIEW words AS SELECT * FROM "übung"');
$destination->safe_psql('postgres', 'CREATE FUNCTION target_of_test() RETURNS regclass LANGUAGE sql RETURN $$"übung"$$::regclass');
for my $encoding (qw(UTF8 LATIN1 SJIS WIN1252 SQL_ASCII))
{
	is($destination->safe_psql('postgres', "TRUNCATE \"übung\"; SET client_min_messages = error; SET client_encoding = '$encoding'; "
			. copy_sql('SELECT * FROM words', undef, target => 'target_of_test()') . '; SHOW client_encoding'),
		"5\n$encoding", "client_encoding $encoding: rows copied, and the setting stays");
	same_rows($source, $destination, '"übung"', "client_encoding $encoding");
}

# Runs SQL on the destination; what psql printed as an error, in the bytes that the client got.
sub error_of
{
	my ($database, $sql) = @_;
	my ($status, $out, $err) = $destination->psql($database, $sql, extra_params => [ '-v', 'VERBOSITY=verbose' ]);
	return $err;
}
my $latin = q(SET client_encoding = 'LATIN1'; );
like(error_of('postgres', $latin . copy_sql("SELECT * FROM \"n\xf6\"", undef)), qr/42P01: relation "n\xf6" does not exist/,
	'an error of the source reaches the client in its encoding');
like(error_of('postgres', $latin . copy_sql("SELECT 1 AS id, '\xe9' AS \"w\xf6rt\"", undef, target => 'target_of_test()')),
	qr/23505: .*\n.*\(id\)=\(1\)/, 'an error of the INSERT reaches the client');
like(error_of('postgres', $latin . copy_sql("SELECT 9 AS id, '\xe9' AS \"w\xf6rt\"", undef, target => 'target_of_test()')),
	qr/23505: .*\n.*\("w\xf6rt"\)=\(\xe9\)/, 'an error of the INSERT reaches the client in its encoding');
like(error_of('postgres', $latin . copy_sql("SELECT '\xfc' AS \"gr\xf6\xdfe\", 8 AS id, '\xfc' AS label", undef, target => 'target_of_test()')),
	qr/42804: column "label" is of type "gr\xf6\xdfe"/, 'an error before the first row reaches the client in its encoding');
like(error_of('postgres', $latin . copy_sql("SELECT 1 AS \"\xe4\"", undef, target => 'target_of_test()')),
	qr/42804: source column "\xe4" does not exist in target public."\xfcbung"/, 'an error of ours reaches the client in its encoding');

# A LATIN1 source. Its names and values are converted there.
$source->safe_psql('latin1', <<~'SQL');
	SET client_encoding = 'UTF8';
	CREATE TYPE größe AS ENUM ('klein', 'größer');
	CREATE TABLE "übung" (id int, "wört" text, label "größe", plain json, parsed jsonb, markup xml, list text[]);
	INSERT INTO "übung" VALUES (1, 'é ÿ', 'größer', '"é"', '{"é": "ÿ"}', '<?xml version="1.0" encoding="LATIN1"?><a>é</a>', '{é}');
	CREATE TABLE "long" (n name, id int);
	INSERT INTO "long" VALUES (repeat('é', 63), 1);
	SQL
is($destination->safe_psql('postgres', 'TRUNCATE "übung";' . copy_sql('SELECT * FROM "übung" WHERE "wört" LIKE $$é%$$', undef,
			src_conninfo => "'latin1'") . '; SELECT id, "wört", label, plain, parsed, markup, list FROM "übung"'),
	qq(1\n1|é ÿ|größer|"é"|{"é": "ÿ"}|<a>é</a>|{é}), 'LATIN1 to UTF8: values, names, labels, the query');
like(error_of('postgres', copy_sql('SELECT * FROM "long"', undef, src_conninfo => "'latin1'", target => 'target_of_test()')),
	qr/42622: identifier too long/, 'LATIN1 to UTF8: a name that becomes longer than 63 bytes');
like(error_of('postgres', copy_sql("SELECT '漢'", undef, src_conninfo => "'latin1'", target => 'target_of_test()')),
	qr/22P05: character with byte sequence 0xe6 0xbc 0xa2 in encoding "UTF8" has no equivalent in encoding "LATIN1"/,
	'LATIN1 to UTF8: a query with characters that the source has not');

# A LATIN1 destination.
my $utf8 = q(SET client_encoding = 'UTF8'; );
$destination->safe_psql('latin1', <<~'SQL');
	SET client_encoding = 'UTF8';
	CREATE EXTENSION pg_copy_incremental;
	CREATE TYPE größe AS ENUM ('klein', 'größer');
	CREATE TABLE "übung" (id int, "wört" text, label "größe", parsed jsonb, CHECK ("wört" <> 'ß'));
	SQL
my $words = 'SELECT id, "wört", label, parsed FROM "übung"';
is($destination->safe_psql('latin1', $utf8 . copy_sql("$words WHERE \"wört\" = \$\$é\$\$", undef, src_conninfo => "'$utf8_source'")
		  . '; SELECT id, "wört", label, parsed, octet_length("wört") FROM "übung"'),
	qq(1\n1|é|größer|"é"|1), 'UTF8 to LATIN1: values, names, labels, the query');
like(error_of('latin1', $utf8 . copy_sql($words, undef, src_conninfo => "'$utf8_source'")),
	qr/22P05: character with byte sequence 0xe3 0x82 0xab in encoding "UTF8" has no equivalent in encoding "LATIN1"/,
	'UTF8 to LATIN1: what cannot be converted is an error of the source');
is($destination->safe_psql('latin1', $utf8 . 'SELECT count(*) FROM "übung"'), 1, 'UTF8 to LATIN1: then nothing is stored');

# A source without an encoding has bytes of any; they are verified, not converted.
$source->safe_psql('sql_ascii', <<~'SQL');
	CREATE EXTENSION citext; CREATE TYPE mood AS ENUM ('é');
	CREATE TABLE bytes (id int, t text, c citext, m mood, j json, a text[]);
	INSERT INTO bytes VALUES (1, 'é', 'é', 'é', '"é"', '{é}'), (2, E'\xe9', NULL, NULL, NULL, NULL),
	  (3, NULL, E'\xe9', NULL, NULL, NULL), (4, NULL, NULL, NULL, E'"\xe9"', NULL), (5, NULL, NULL, NULL, NULL, ARRAY[E'\xe9']);
	SQL
$source->safe_psql('sql_ascii', "CREATE TABLE names (\"\xe9\" int); CREATE TYPE odd AS ENUM ('\xe9'); "
	  . "CREATE TABLE odd_labels (m odd); INSERT INTO odd_labels VALUES ('\xe9')");
$destination->safe_psql('postgres', 'CREATE TABLE bytes (id int, t text, c text, m text, j json, a text[])');
is($destination->safe_psql('postgres', copy_sql('SELECT * FROM bytes WHERE id = 1', undef, src_conninfo => "'sql_ascii'")
		  . '; SELECT * FROM bytes'), qq(1\n1|é|é|é|"é"|{é}), 'SQL_ASCII to UTF8: valid bytes');
for my $case ([ 2, 'text' ], [ 3, 'text of an extension' ], [ 4, 'json' ], [ 5, 'array' ])
{
	my ($id, $name) = @$case;
	like(error_of('postgres', copy_sql("SELECT * FROM bytes WHERE id IN (1, $id)", undef, src_conninfo => "'sql_ascii'")),
		qr/22021: invalid byte sequence for encoding "UTF8": 0xe9/, "SQL_ASCII to UTF8: invalid bytes in $name");
}
like(error_of('postgres', copy_sql('SELECT m::text AS t FROM odd_labels', undef, src_conninfo => "'sql_ascii'", target => "'bytes'")),
	qr/22021: /, 'SQL_ASCII to UTF8: invalid bytes in a label');
like(error_of('postgres', copy_sql('SELECT * FROM names', undef, src_conninfo => "'sql_ascii'", target => "'bytes'")),
	qr/22021: /, 'SQL_ASCII to UTF8: invalid bytes in a name');
is($destination->safe_psql('postgres', 'SELECT count(*) FROM bytes'), 1, 'SQL_ASCII to UTF8: nothing of it is stored');

no_session_left($source, 'no session is left at the source');
done_testing();
