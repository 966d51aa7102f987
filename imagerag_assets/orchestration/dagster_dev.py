"""`dagster dev` with our webserver in the place of Dagster's; its options are the same.  `dev` starts it."""

from imagerag_assets.orchestration._dagster_private import run_dagster_dev

if __name__ == "__main__":
    run_dagster_dev("imagerag_assets.orchestration.webserver")
