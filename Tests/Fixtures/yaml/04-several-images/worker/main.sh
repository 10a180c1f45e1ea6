. /app/shared/lib.sh; echo worker
