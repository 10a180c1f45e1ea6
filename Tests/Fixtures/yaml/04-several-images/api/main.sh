. /app/shared/lib.sh; echo api
