r"""Recount the latest version of every case with Spark, and compare with the counts of Tocsin.

    python spark_recount.py --reports FILE.jsonl [FILE.jsonl ...] --counts COUNTS.parquet
    python spark_recount.py --reports FOLDER --streaming --counts COUNTS.parquet
    spark-submit --packages org.apache.spark:spark-sql-kafka-0-10_2.13:VERSION_OF_SPARK \
        spark_recount.py --bootstrap HOST:PORT [--prefix pv.] --counts COUNTS.parquet

It shares no code with Tocsin: the rules of `docs/contribute/architecture.md` are written here
once more, in SQL. Reports are native JSON, one a line, or the committed messages of `pv.reports`
without those that `pv.rejected` names. COUNTS.parquet is what `tocsin run --counts` or `tocsin
replay --counts` wrote with the window `cumulative`. Ends with 0 if nothing differs, else with 1.

Of two messages with one version, date, nullification and message_id but different content, Tocsin
decides by the content, and so does this: but by less of it. Such cases may differ; the summary of
`tocsin replay` and of `tocsin run` counts them as conflicting.
"""

import argparse
import sys
import tempfile
import unicodedata
from pathlib import Path

from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql.types import ArrayType, StringType

FIELDS = """
    case_id STRING, version INT, message_id STRING, first_received DATE, latest_received DATE,
    revision STRUCT<kind: STRING>, verification STRING, links ARRAY<STRUCT<kind: STRING>>,
    message_type STRING, master_case_id STRING, state STRING, basis STRING, decision LONG,
    products ARRAY<STRUCT<
        role: STRING, substances: ARRAY<STRING>, product_class: STRING, verbatim: STRING>>,
    reactions ARRAY<STRUCT<term: STRING>>
"""
DECIDERS = {
    "manual": ("manual",),
    "exact": ("worldwide_id", "source_id", "cross_listed"),
    "probable": ("probable",),
}
COUNTED = ("valid_icsr", "hcp_confirmed", "authority_confirmed")
MARGINS = ("n_observed", "n_drug", "n_event", "n_total")
SHOWN = 20  # differences that are printed


@F.udf(ArrayType(StringType()))
def normal_forms(names: list[str]) -> list[str]:
    """Return what SQL cannot make: names in NFKC with single spaces, distinct, in order."""
    if all(name.isascii() for name in names):
        return sorted({" ".join(name.split()) for name in names})
    return sorted({" ".join(unicodedata.normalize("NFKC", name).split()) for name in names})


def stated(name: Column) -> Column:
    """Tell whether a name is more than white space."""
    return F.coalesce(name.rlike(r"(?U)[^\s\x1c-\x1f]"), F.lit(False))


def from_files(spark: SparkSession, paths: list[str], *, streaming: bool) -> DataFrame:
    """Read native JSON lines; blank ones are no messages."""
    # A stream has one source: a folder or a pattern.
    lines = spark.readStream.text(paths[0]) if streaming else spark.read.text(paths)
    return lines.where(F.trim("value") != "")


def from_kafka(spark: SparkSession, bootstrap: str, prefix: str, *, streaming: bool) -> DataFrame:
    """Read the messages of the reports that were not rejected."""
    options = {
        "kafka.bootstrap.servers": bootstrap,
        "kafka.isolation.level": "read_committed",
        "startingOffsets": "earliest",
        "includeHeaders": "true",
        "failOnDataLoss": "true",
    }
    read = spark.readStream if streaming else spark.read
    messages = read.format("kafka").options(**options, subscribe=f"{prefix}reports").load()
    rejects = spark.read.format("kafka").options(**options, subscribe=f"{prefix}rejected").load()
    headers = F.map_from_entries("headers")
    rejected = rejects.where("value IS NOT NULL AND headers IS NOT NULL").select(
        headers["source"].cast("string").alias("source"),
        headers["position"].cast("string").cast("long").alias("offset"),
    )
    placed = messages.withColumn("source", F.concat("topic", F.lit("["), "partition", F.lit("]")))
    return placed.join(rejected.distinct(), ["source", "offset"], "left_anti").select(
        F.col("value").cast("string").alias("value")
    )


def latest_versions(messages: DataFrame) -> DataFrame:
    """Keep one row a case: what counts of the greatest of its messages, and its links."""
    report = messages.select(F.from_json("value", FIELDS).alias("report")).select("report.*")
    suspect = F.filter("products", lambda one: one["role"].isin("suspect", "interacting"))
    drugs = F.flatten(F.transform(suspect, _drugs_of))
    events = F.filter(F.transform("reactions", lambda one: one["term"]), stated)
    versions = report.where("case_id IS NOT NULL").select(
        "case_id",
        F.coalesce("version", F.lit(1)).alias("version"),
        "latest_received",
        F.coalesce(F.col("revision.kind") == "nullification", F.lit(False)).alias("nullified"),
        F.coalesce("message_id", F.lit("")).alias("message_id"),
        F.col("first_received").alias("day"),
        _names(drugs).alias("drugs"),
        _names(events).alias("events"),
        F.coalesce(
            F.exists("links", lambda one: one["kind"] == "duplicate_of"), F.lit(False)
        ).alias("duplicate"),
        F.coalesce("verification", F.lit("valid_icsr")).alias("verification"),
        F.when(
            F.col("message_type") == "case_link",
            F.struct("decision", "state", "master_case_id", "basis"),
        ).alias("link"),
    )
    order = F.struct("version", "latest_received", "nullified", "message_id")
    content = F.struct("day", "drugs", "events", "duplicate", "verification")
    is_link = F.col("link").isNotNull()
    greatest = {
        "row": F.max(F.when(~is_link, F.struct(order.alias("order"), content.alias("content"))))
    }
    for decider, bases in DECIDERS.items():
        decision = F.when(F.col("link.basis").isin(*bases), F.col("link"))
        greatest[decider] = F.max(decision)["state"]
    latest = versions.groupBy("case_id").agg(*(one.alias(key) for key, one in greatest.items()))
    manual = F.coalesce("manual", F.lit("suspected"))
    others = F.coalesce(F.col("exact") == "applied", F.lit(False)) | F.coalesce(
        F.col("probable") == "applied", F.lit(False)
    )
    linked = F.when(manual == "suspected", others).otherwise(manual == "applied")
    return latest.where("row IS NOT NULL").select(
        "case_id", "row.order.*", "row.content.*", linked.alias("linked")
    )


def _drugs_of(product: Column) -> Column:
    named = F.coalesce(F.filter(product["substances"], stated), F.array().cast("array<string>"))
    of_class, verbatim = product["product_class"], product["verbatim"]
    other = F.when(stated(of_class), F.array(of_class)).when(stated(verbatim), F.array(verbatim))
    none = F.array().cast("array<string>")
    return F.when(F.size(named) > 0, named).otherwise(F.coalesce(other, none))


def _names(names: Column) -> Column:
    return normal_forms(F.coalesce(names, F.array().cast("array<string>")))


def population(latest: DataFrame) -> DataFrame:
    """Say of every case what becomes of it: counted, or why not."""
    why = (
        F.when(F.col("nullified"), "nullified")
        .when(F.col("duplicate"), "duplicate")
        .when(~F.col("verification").isin(*COUNTED), "unverified")
        .when(F.size("drugs") == 0, "no_suspect_product")
        .when(F.size("events") == 0, "no_reaction")
        .when(F.col("linked"), "linked to its master")
        .otherwise("counted")
    )
    return latest.withColumn("why", why)


def counts(latest: DataFrame) -> DataFrame:
    """Count the four numbers of every drug-event pair."""
    cases = population(latest).where("why = 'counted'").select("case_id", "drugs", "events").cache()
    drugs = cases.select("case_id", F.explode("drugs").alias("drug"))
    events = cases.select("case_id", F.explode("events").alias("event"))
    pairs = (
        drugs.join(events, "case_id").groupBy("drug", "event").agg(F.count("*").alias("n_observed"))
    )
    return (
        pairs.join(drugs.groupBy("drug").agg(F.count("*").alias("n_drug")), "drug")
        .join(events.groupBy("event").agg(F.count("*").alias("n_event")), "event")
        .withColumn("n_total", F.lit(cases.count()))
    )


def differences(ours: DataFrame, theirs: DataFrame) -> DataFrame:
    """Find pairs whose counts differ, or that only one side has."""
    left = theirs.select(
        "drug", "event", *(F.col(n).cast("long").alias(f"tocsin_{n}") for n in MARGINS)
    )
    right = ours.select(
        "drug", "event", *(F.col(n).cast("long").alias(f"spark_{n}") for n in MARGINS)
    )
    same = F.lit(True)
    for margin in MARGINS:
        same = same & F.col(f"tocsin_{margin}").eqNullSafe(F.col(f"spark_{margin}"))
    return left.join(right, ["drug", "event"], "full_outer").where(~same)


def streamed(messages: DataFrame, folder: str) -> DataFrame:
    """Find the same versions by Structured Streaming, up to the present end."""
    spark = messages.sparkSession
    query = (
        latest_versions(messages)
        .writeStream.outputMode("complete")
        .option("checkpointLocation", f"{folder}/checkpoint")
        .trigger(availableNow=True)
        .foreachBatch(
            lambda batch, number: batch.write.mode("overwrite").parquet(f"{folder}/{number}")
        )
        .start()
    )
    query.awaitTermination()
    last = max(
        (path for path in Path(folder).iterdir() if path.name.isdigit()), key=lambda p: int(p.name)
    )
    return spark.read.parquet(str(last))


def main() -> int:
    """Recount, compare, print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument("--reports", nargs="+", metavar="FILE.jsonl")
    source.add_argument("--bootstrap", metavar="HOST:PORT")
    parser.add_argument("--prefix", default="pv.")
    parser.add_argument("--streaming", action="store_true", help="by Structured Streaming")
    parser.add_argument("--counts", required=True, metavar="COUNTS.parquet")
    options = parser.parse_args()
    if options.streaming and options.reports and len(options.reports) > 1:
        parser.error("--streaming reads one folder or pattern of files")

    spark = SparkSession.builder.appName("tocsin recount").getOrCreate()
    spark.sparkContext.setLogLevel("ERROR")
    if spark.sparkContext.master.startswith("local"):  # its 200 are meant for a cluster
        spark.conf.set("spark.sql.shuffle.partitions", spark.sparkContext.defaultParallelism)
    with tempfile.TemporaryDirectory() as folder:
        if options.reports:
            messages = from_files(spark, options.reports, streaming=options.streaming)
        else:
            messages = from_kafka(
                spark, options.bootstrap, options.prefix, streaming=options.streaming
            )
        latest = streamed(messages, folder) if options.streaming else latest_versions(messages)
        latest = latest.cache()
        for row in population(latest).groupBy("why").count().orderBy(F.desc("count")).collect():
            print(f"cases {row['why']}: {row['count']:,}")
        theirs = spark.read.parquet(options.counts)
        if "window" in theirs.columns:
            theirs = theirs.where("window = 'cumulative'")
        differing = differences(counts(latest), theirs).cache()
        number = differing.count()
        print(f"pairs compared: {theirs.count():,}, different: {number:,}")
        for row in differing.orderBy("drug", "event").limit(SHOWN).collect():
            print(f"  {row.asDict()}")
    spark.stop()
    return 1 if number else 0


if __name__ == "__main__":
    sys.exit(main())
